"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const make = (tag, attributes = {}, text = "") => {
    const svg = ["svg", "g", "path", "circle", "line", "polyline", "text"].includes(tag);
    const node = svg
      ? document.createElementNS("http://www.w3.org/2000/svg", tag)
      : document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    if (text) node.textContent = text;
    return node;
  };

  /* Light and dark: as the system says, until the button is pressed. */
  const theme = document.getElementById("theme");
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const nameTheme = () => { theme.textContent = dark() ? "Light" : "Dark"; };
  theme.addEventListener("click", () => { root.dataset.theme = dark() ? "light" : "dark"; nameTheme(); });
  nameTheme();

  /* Tabs: click, arrows, Home and End; the address remembers the open one. */
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const open = (tab, focus) => {
    for (const t of tabs) {
      const on = t === tab;
      t.setAttribute("aria-selected", on);
      t.tabIndex = on ? 0 : -1;
      document.getElementById(t.getAttribute("aria-controls")).classList.toggle("open", on);
    }
    if (focus) tab.focus();
    if (tab.id === "tab-sets") showSet(picker.value);
  };
  tabs.forEach((tab, i) => {
    tab.addEventListener("click", () => { open(tab); history.replaceState(null, "", "#" + tab.getAttribute("aria-controls")); });
    tab.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      const next = tabs[(to + tabs.length) % tabs.length];
      open(next, true);
      history.replaceState(null, "", "#" + next.getAttribute("aria-controls"));
    });
  });

  /* Data sets: one card at a time; its player is built when first shown. */
  const picker = document.getElementById("set-picker");
  const cards = [...document.querySelectorAll(".card")];
  let episodes = null;
  const players = new Map();
  const showSet = (name) => {
    for (const card of cards) card.classList.toggle("open", card.dataset.set === name);
    for (const [other, player] of players) if (other !== name) player.pause();
    const card = cards.find((c) => c.dataset.set === name);
    if (!card || players.has(name)) return;
    episodes = episodes || read("episodes");
    players.set(name, buildPlayer(card.querySelector(".player"), episodes[name]));
  };
  picker.addEventListener("change", () => showSet(picker.value));

  const SHAPES = [
    (r) => `M${r} 0A${r} ${r} 0 1 1 -${r} 0A${r} ${r} 0 1 1 ${r} 0Z`,
    (r) => `M-${r} -${r}H${r}V${r}H-${r}Z`,
    (r) => `M0 -${1.3 * r}L${1.2 * r} ${0.9 * r}H-${1.2 * r}Z`,
    (r) => `M0 -${1.4 * r}L${1.4 * r} 0L0 ${1.4 * r}L-${1.4 * r} 0Z`,
    (r) => `M-${0.5 * r} -${1.3 * r}H${0.5 * r}V-${0.5 * r}H${1.3 * r}V${0.5 * r}H${0.5 * r}V${1.3 * r}H-${0.5 * r}V${0.5 * r}H-${1.3 * r}V-${0.5 * r}H-${0.5 * r}Z`,
    (r) => `M0 ${1.3 * r}L${1.2 * r} -${0.9 * r}H-${1.2 * r}Z`,
    (r) => `M-${1.2 * r} -${0.6 * r}H${1.2 * r}V${0.6 * r}H-${1.2 * r}Z`,
    (r) => `M-${0.6 * r} -${1.2 * r}H${0.6 * r}V${1.2 * r}H-${0.6 * r}Z`,
  ];
  const shape = (c, r) => SHAPES[c % SHAPES.length](r);

  const buildPlayer = (box, episode) => {
    if (!episode || episode.missing) {
      box.append(make("p", { class: "note" }, episode ? episode.missing : "No episode."));
      return { pause() {} };
    }
    const steps = Math.max(...episode.tracks.map((t) => t.queried.length));
    let at = Math.min(episode.n_start, steps), timer = null;
    const classes = make("p", { class: "classes note" });
    episode.classes.forEach((name, c) => {
      const span = make("span");
      const icon = make("svg", { viewBox: "-16 -16 32 32", "aria-hidden": "true" });
      icon.append(make("path", { d: shape(c, 11), fill: `var(--c${c % 8})` }));
      span.append(icon, " " + name);
      classes.append(span);
    });
    const stages = make("div", { class: "stages" });
    const views = episode.tracks.map((track) => buildStage(stages, episode, track));
    const curve = buildCurve(episode);
    const controls = make("div", { class: "controls", role: "group", "aria-label": "Steps" });
    const button = (text, label, act) => {
      const b = make("button", { type: "button", "aria-label": label, title: label }, text);
      b.addEventListener("click", act);
      controls.append(b);
      return b;
    };
    button("|◀", "to the start", () => go(episode.n_start));
    button("‹", "one step back", () => go(at - 1));
    const play = button("▶", "play", () => (timer ? pause() : start()));
    play.classList.add("play");
    button("›", "one step on", () => go(at + 1));
    button("▶|", "to the end", () => go(steps));
    const slider = make("input", { type: "range", min: 0, max: steps, "aria-label": "labels acquired" });
    slider.addEventListener("input", () => go(Number(slider.value)));
    const count = make("output", { class: "count", "aria-live": "polite" });
    controls.append(slider, count);
    const pause = () => {
      clearInterval(timer); timer = null;
      play.textContent = "▶"; play.setAttribute("aria-label", "play"); play.title = "play";
    };
    const start = () => {
      if (at >= steps) go(episode.n_start);
      timer = setInterval(() => { go(at + 1, true); if (at >= steps) pause(); }, 350);
      play.textContent = "❚❚"; play.setAttribute("aria-label", "pause"); play.title = "pause";
    };
    const go = (to, playing) => {
      if (!playing && timer) pause();
      at = Math.max(0, Math.min(steps, to));
      slider.value = at;
      count.textContent = `${at} of ${steps} labels`;
      for (const view of views) view(at);
      curve.show(at);
    };
    box.tabIndex = 0;
    box.addEventListener("keydown", (event) => {
      const acts = {
        ArrowRight: () => go(at + 1), ArrowLeft: () => go(at - 1), Home: () => go(episode.n_start),
        End: () => go(steps), " ": () => (timer ? pause() : start()),
      };
      if (!acts[event.key] || (event.key === " " && event.target.tagName === "BUTTON")) return;
      if (event.target === slider && event.key !== " ") return;
      event.preventDefault();
      acts[event.key]();
    });
    box.append(
      make("p", { class: "note" }, `One episode with ${episode.learner}, split ${episode.split}, start ${episode.start}: ` +
        `${episode.y.length} of ${episode.pool} pool rows, ${episode.axes}. The first ${episode.n_start} labels are the same start. ` +
        "Keys: space plays, arrows step, Home and End jump."),
      classes, controls, stages, curve.node);
    go(at);
    return { pause };
  };

  const buildStage = (stages, episode, track) => {
    const stage = make("div", { class: "stage" });
    const plot = make("svg", { viewBox: "-40 -40 1080 1080", role: "img", "aria-label": `pool as ${track.strategy} asks for it` });
    const rows = episode.y.map((c, i) => {
      const place = `translate(${episode.points[2 * i]} ${1000 - episode.points[2 * i + 1]})`;
      const row = make("path", { d: shape(c, 13), transform: place, class: "row", fill: `var(--c${c % 8})` });
      plot.append(row);
      return row;
    });
    const halo = make("circle", { r: 34, class: "halo", cx: -99, cy: -99 });
    plot.append(halo);
    const said = make("p");
    stage.append(make("h4", {}, track.strategy), plot, said);
    stages.append(stage);
    return (at) => {
      const n = Math.min(at, track.queried.length);
      track.queried.forEach((i, k) => {
        rows[i].classList.toggle("asked", k < n);
        rows[i].classList.toggle("last", k === n - 1);
      });
      if (n === 0) { said.textContent = "Nothing is labelled yet."; halo.setAttribute("cx", -99); return; }
      const i = track.queried[n - 1];
      halo.setAttribute("cx", episode.points[2 * i]);
      halo.setAttribute("cy", 1000 - episode.points[2 * i + 1]);
      const value = valueAt(track, n);
      said.textContent = (n <= episode.n_start ? "start: " : `label ${n}: `) + episode.classes[episode.y[i]] +
        (value === null ? "" : `; test score ${value.toFixed(3)}`);
    };
  };

  const valueAt = (track, n) => {
    let found = null;
    track.n.forEach((k, j) => { if (k <= n) found = track.values[j]; });
    return found;
  };

  const buildCurve = (episode) => {
    const all = episode.tracks.flatMap((t) => t.values);
    const low = Math.min(...all), high = Math.max(...all);
    const last = Math.max(...episode.tracks.flatMap((t) => t.n));
    const x = (n) => 40 + (n / last) * 590, y = (v) => 92 - ((v - low) / (high - low || 1)) * 82;
    const node = make("svg", { viewBox: "0 0 640 112", role: "img", "aria-label": "test score by labels acquired" });
    for (const v of [low, high]) node.append(make("text", { x: 4, y: y(v) + 4, style: "text-anchor: start" }, v.toFixed(2)));
    node.append(make("text", { x: 335, y: 109 }, "labels acquired"));
    episode.tracks.forEach((t, k) => {
      const points = t.n.map((n, j) => `${x(n).toFixed(1)},${y(t.values[j]).toFixed(1)}`).join(" ");
      const line = make("polyline", { points, class: `line c${k === 0 ? 1 : 0}` });
      line.append(document.createElementNS("http://www.w3.org/2000/svg", "title"));
      line.firstChild.textContent = t.strategy;
      node.append(line, make("text", { x: 46, y: 12 + 14 * k, style: `text-anchor: start; fill: var(--c${k === 0 ? 1 : 0})` }, t.strategy));
    });
    const now = make("line", { y1: 6, y2: 96, class: "now" });
    node.append(now);
    return { node, show: (n) => { now.setAttribute("x1", x(n)); now.setAttribute("x2", x(n)); } };
  };

  /* The command that executes one run again. */
  const runs = read("runs");
  const selects = ["dataset", "learner", "strategy", "runs"].map((name) => document.getElementById("run-" + name));
  selects.forEach((select, k) => {
    const names = k < 3 ? runs[["dataset", "learner", "strategy"][k]] : runs.runs.map(([s, t]) => `split ${s}, start ${t}`);
    names.forEach((name, i) => select.append(make("option", { value: i }, name)));
    select.addEventListener("change", () => sayCommand());
  });
  const sayCommand = () => {
    const key = runs.keys[selects.map((s) => s.value).join(".")];
    const line = document.getElementById("run-command");
    line.textContent = key ? line.dataset.before + key : "This run is not in the store.";
  };
  sayCommand();

  const wanted = tabs.find((t) => "#" + t.getAttribute("aria-controls") === location.hash);
  open(wanted || tabs[0]);
})();
