"""The Merkle tree over the leaves of the log, as RFC 9162 (section 2.1) has it: pure, to be recomputed by anybody.

A leaf is the SHA-256 of a zero byte and an event, see ``infrastructure.postgres.chain``. A node is the SHA-256 of a one
byte and its two children. A tree of n leaves has on its left a whole tree of the greatest power of two below n.
"""

from collections.abc import Sequence
from hashlib import sha256

EMPTY = sha256().digest()
"""The root of a tree without leaves."""


def node(left: bytes, right: bytes) -> bytes:
    """The hash over two children."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """A tree that grows leaf by leaf, of which only the whole subtrees on its right edge are kept: one for each bit of n."""

    def __init__(self) -> None:
        self.size = 0
        self._subtrees: list[bytes] = []

    def add(self, leaf: bytes) -> None:
        """Put another leaf, or the root of a whole subtree as large as those before it, at the right."""
        size = self.size
        subtrees = self._subtrees
        while size & 1:
            leaf = node(subtrees.pop(), leaf)
            size >>= 1
        subtrees.append(leaf)
        self.size += 1

    @property
    def root(self) -> bytes:
        """The root of the tree as it is."""
        if not self._subtrees:
            return EMPTY
        *others, root = self._subtrees
        for left in reversed(others):
            root = node(left, root)
        return root


def root_of(leaves: Sequence[bytes]) -> bytes:
    """The root of the tree over these leaves."""
    tree = Frontier()
    for leaf in leaves:
        tree.add(leaf)
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
