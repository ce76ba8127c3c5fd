"""The Merkle tree over the leaves of the log, as RFC 9162 (section 2.1) has it: pure, to be recomputed by anybody.

A leaf is the SHA-256 of a zero byte and an event, see ``infrastructure.postgres.chain``. A node is the SHA-256 of a one
byte and its two children. A tree of n leaves has on its left a whole tree of the greatest power of two below n.
"""

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256().digest()
"""The root of a tree without leaves."""

_WHOLE = 256


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows leaf by leaf, of which only the whole subtrees on its right edge are kept: one for each bit of n."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Put these leaves at the right: whole subtrees of them at once, which is quicker than leaf by leaf."""
        at = 0
        while at < len(leaves):
            whole = self.size % _WHOLE == 0 and len(leaves) - at >= _WHOLE
            width = _WHOLE if whole else 1
            self.add_whole(_root_of_whole(leaves[at : at + width]), width)
            at += width

    def add_whole(self, root: bytes, width: int) -> None:
        """Put the root of a subtree of so many leaves, a power of two that the size is a multiple of, at the right."""
        size = self.size // width
        subtrees = self._subtrees
        while size & 1:
            root = node(subtrees.pop(), root)
            size >>= 1
        subtrees.append(root)
        self.size += width

    @property
    def root(self) -> bytes:
        """The root of the tree as it is."""
        if not self._subtrees:
            return EMPTY
        *others, root = self._subtrees
        for left in reversed(others):
            root = node(left, root)
        return root


def _root_of_whole(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over so many leaves as a power of two says."""
    while len(leaves) > 1:
        leaves = [
            sha256(b"\x01" + left + right).digest() for left, right in zip(leaves[::2], leaves[1::2], strict=True)
        ]
    return leaves[0]


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaves."""
    tree = Frontier()
    tree.extend(leaves)
    return tree.root


def path_of(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path of a leaf: what its root is to be computed from, the sibling of the leaf first."""
    path: list[bytes] = []
    while len(leaves) > 1:
        half = 1 << (len(leaves) - 1).bit_length() - 1
        if index < half:
            path.append(root_of(leaves[half:]))
            leaves = leaves[:half]
        else:
            path.append(root_of(leaves[:half]))
            leaves, index = leaves[half:], index - half
    return path[::-1]


def root_along(path: Sequence[bytes], leaf: bytes, index: int, size: int) -> bytes | None:
    """The root that a leaf and its audit path lead to; None when no tree of this size has such a path to this leaf."""
    if not 0 <= index < size:
        return None
    last = size - 1
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            leaf = node(sibling, leaf)
            while not index & 1 and index:
                index, last = index >> 1, last >> 1
        else:
            leaf = node(leaf, sibling)
        index, last = index >> 1, last >> 1
    return leaf if last == 0 else None
