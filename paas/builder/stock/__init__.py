"""S2I builder images from elsewhere: the whole contract, for images that know nothing of this platform."""
