"""Parameters as typed, validated records, and presets of them."""
