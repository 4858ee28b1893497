"""Evolution strategies that fine-tune a frozen policy on area over margin."""
