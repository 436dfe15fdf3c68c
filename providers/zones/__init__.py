"""Provider zones: zones and the images that guests are made of."""
