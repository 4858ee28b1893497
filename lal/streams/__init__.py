"""Active learning on streams: tasks, features, strategies and policies that decide item by item."""
