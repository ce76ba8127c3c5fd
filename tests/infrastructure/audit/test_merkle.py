"""The tree as RFC 9162 has it; the vectors are those of the certificate transparency project."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.audit.merkle import _WHOLE, EMPTY, Frontier, node, path_of, root_along, root_of

INPUTS = (
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
)
ROOTS = (
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
)
LEAVES = [sha256(b"\x00" + bytes.fromhex(text)).digest() for text in INPUTS]

hashes = st.binary(min_size=32, max_size=32)
trees = st.lists(hashes, min_size=1, max_size=70)


def test_a_tree_without_leaves_has_the_hash_of_nothing() -> None:
    assert Frontier().root == root_of([]) == EMPTY == sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_standard(size: int) -> None:
    assert root_of(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_an_audit_path_is_that_of_the_standard() -> None:
    # PATH(3, D[7]) = [c, g, l] in section 2.1.5
    seven = LEAVES[:7]
    assert path_of(seven, 3) == [LEAVES[2], node(*LEAVES[:2]), node(node(*LEAVES[4:6]), LEAVES[6])]
    assert path_of(seven, 6) == [node(*LEAVES[4:6]), root_of(LEAVES[:4])]


@given(trees, st.data())
def test_every_leaf_leads_along_its_path_to_the_root(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path = path_of(leaves, index)
    assert root_along(path, leaves[index], index, len(leaves)) == root_of(leaves)
    assert len(path) <= (len(leaves) - 1).bit_length()


@given(trees, hashes, st.data())
def test_nothing_else_does(leaves: list[bytes], other: bytes, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    path, root = path_of(leaves, index), root_of(leaves)
    if other != leaves[index]:
        assert root_along(path, other, index, len(leaves)) != root
    assert root_along([*path, other], leaves[index], index, len(leaves)) is None
    assert root_along(path[:-1], leaves[index], index, len(leaves)) != root or not path
    for wrong in (-1, len(leaves)):
        assert root_along(path, leaves[index], wrong, len(leaves)) is None


@given(trees)
def test_whole_subtrees_can_stand_for_their_leaves(leaves: list[bytes]) -> None:
    blocks = [root_of(leaves[start : start + 8]) for start in range(0, len(leaves), 8)]
    assert root_of(blocks) == root_of(leaves)


@pytest.mark.parametrize("size", [_WHOLE, 3 * _WHOLE + 5])
def test_many_leaves_at_once_lead_to_the_root_that_they_lead_to_one_by_one(size: int) -> None:
    leaves = [sha256(str(number).encode()).digest() for number in range(size)]
    one_by_one = Frontier()
    for leaf in leaves:
        one_by_one.add_whole(leaf, 1)
    assert root_of(leaves) == one_by_one.root
