"""How many steps a training makes at a time, between two looks at the clock and at signals."""

SLICE_SECONDS = 0.2
MOST_STEPS = 1 << 20  # of a slice: many end earlier, at a validation, however quick they are


class Slices:
    """Slices of `count` steps, which take `seconds`: twice as many after a quick one, else half."""

    def __init__(self, seconds: float = SLICE_SECONDS) -> None:
        self.count, self.seconds = 1, seconds

    def adapt(self, seconds: float) -> None:
        """After a slice that took `seconds`.

        >>> slices = Slices()
        >>> slices.adapt(0.001)
        >>> slices.count
        2
        """
        self.count = min(2 * self.count, MOST_STEPS) if seconds < self.seconds else max(1, self.count // 2)
