"""Whether a build of PyTorch has compiled code for a card; knows neither torch nor Django."""

from collections.abc import Iterable


def has_kernels(major: int, minor: int, architectures: Iterable[str]) -> bool:
    """Whether compiled code for a card is there: of the same generation, not newer, or portable.

    Args:
        major: of the card's compute capability, and `minor`.
        architectures: what `torch.cuda.get_arch_list` gives, such as sm_75 or compute_120.
    """
    for architecture in architectures:
        kind, _, number = architecture.partition("_")
        digits = "".join(character for character in number if character.isdigit())
        if not digits:
            continue
        theirs = divmod(int(digits), 10)
        if kind == "compute" and theirs <= (major, minor):
            return True
        if kind == "sm" and theirs[0] == major and theirs[1] <= minor:
            return True
    return False
