"""The one bundled font, for screens and for drawn lines on paper."""
