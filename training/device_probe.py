"""`python -m training.device_probe`: exit status 0 if the first GPU calculates, and rightly."""

import sys

import torch


def main() -> int:
    """Multiply two matrices there."""
    if not torch.cuda.is_available():
        return 1
    ones = torch.ones((256, 256), device="cuda:0")
    return int((ones @ ones).sum().item() != 256.0**3)


if __name__ == "__main__":
    sys.exit(main())
