"""What the end-to-end check of Label Studio refuses before it begins."""

from scripts.benchmarks.robustness.label_studio import main


def test_pictures_need_a_user_and_a_browser(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LABEL_STUDIO_TOKEN", "t")
    flags = ["--folder", str(tmp_path / "new"), "--pictures", str(tmp_path)]
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    assert main(flags) == 2
    assert (
        "--pictures needs --user, and a password in LABEL_STUDIO_PASSWORD, to log in"
        in capsys.readouterr().err
    )
    monkeypatch.setattr("shutil.which", lambda name: None)
    monkeypatch.setenv("LABEL_STUDIO_PASSWORD", "b")
    assert main([*flags, "--user", "a"]) == 2
    assert "no chromium on the path" in capsys.readouterr().err
    assert main(["--folder", str(tmp_path)]) == 2
    assert "a --folder that is not there yet" in capsys.readouterr().err
