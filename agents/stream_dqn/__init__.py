"""stable-baselines3's DQN on streams: ask or skip."""
