"""The rule `gated`: contributions with the gates of one frame held, which add up to the image."""
