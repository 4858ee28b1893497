"""Neural learners in torch (extra ``[neural]``). Loaded lazily: nothing else in lal imports it."""
