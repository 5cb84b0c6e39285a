"""Names in raw: readable, stable, never two for one, and refused with the way out where they cannot be."""

from __future__ import annotations

import re

import pytest
from dlt.common.normalizers.naming.snake_case import NamingConvention
from hypothesis import example, given
from hypothesis import strategies as st

from el.errors import PlanError
from el.planning.naming import MAX_LENGTH, RESERVED, name_map, normalise

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=128)
READABLE = st.from_regex(r"[A-Za-z]([ _-]?[A-Za-z0-9]){0,20}", fullmatch=True)


@pytest.mark.parametrize(
    ("original", "name"),
    [
        ("OrderID", "order_id"),
        ("Order ID", "order_id"),
        ("order-id", "order_id"),
        ("order_id", "order_id"),
        ("HTTPServer2", "http_server2"),
        ("SHA256Hash", "sha256_hash"),
        ("SalesOrderDetail", "sales_order_detail"),
        ("URLs", "urls"),
        ("CustomerIDs", "customer_ids"),
        ("Address1", "address1"),
        ("ÜberSicht", "uber_sicht"),
        ("Größe", "grosse"),
        ("Цена", "tsena"),
        ("名前", "ming_qian"),
        ("Price €", "price_eur"),
        ("2019", "_2019"),
        ("2019 Sales", "_2019_sales"),
        ("_internal", "_internal"),
        ("a__b", "a_b"),
        ("  padded  ", "padded"),
        ("Discount %", "discount"),
        ("%", "x25"),
        ("__", "x5f5f"),
        ("#", "x23"),
        ("select", "select"),
    ],
)
def test_snake_case_is_what_a_reader_expects(original: str, name: str) -> None:
    assert normalise(original) == name


@given(NAMES)
@example("x" * 128 + "Y")
@example("名" * 128)
@example("_")
@example("1")
def test_a_name_is_plain_never_empty_and_never_too_long(original: str) -> None:
    name = normalise(original)
    assert re.fullmatch(r"[a-z_][a-z0-9_]*", name)
    assert len(name) <= MAX_LENGTH


@given(NAMES)
@example("IDs")
@example("aBCs")
@example("_9")
def test_normalising_twice_changes_nothing(original: str) -> None:
    once = normalise(original)
    assert normalise(once) == once


@given(NAMES)
@example("名" * 128)
@example("__x__")
@example("9")
def test_dlts_own_naming_leaves_a_name_as_it_is(original: str) -> None:
    name = normalise(original)
    assert NamingConvention(MAX_LENGTH).normalize_identifier(name) == name


@given(NAMES)
def test_preserve_leaves_a_name_as_it_is(original: str) -> None:
    assert normalise(original, "preserve") == original


def test_two_long_names_that_share_their_first_255_characters_stay_two() -> None:
    first, second = normalise("名" * 127 + "a"), normalise("名" * 127 + "b")
    assert len(first) == len(second) == MAX_LENGTH
    assert first != second


def test_a_name_map_keeps_order_and_applies_renames() -> None:
    found = name_map(["OrderID", "Order ID", "Qty"], "snake_case", {"Order ID": "order_id_text"}, "columns of s.t")
    assert list(found.items()) == [("OrderID", "order_id"), ("Order ID", "order_id_text"), ("Qty", "qty")]


def test_a_collision_names_both_and_the_rename_that_solves_it() -> None:
    with pytest.raises(PlanError) as refused:
        name_map(["OrderID", "Order ID"], "snake_case", {}, "columns of sales.orders")
    message = str(refused.value)
    assert message.startswith("columns of sales.orders: ")
    assert all(
        part in message
        for part in ("'OrderID'", "'Order ID'", "'order_id'", "columns: {'Order ID': {rename: order_id_source}}")
    )
    solved = name_map(["OrderID", "Order ID"], "snake_case", {"Order ID": "order_id_source"}, "columns of sales.orders")
    assert len(set(solved.values())) == 2


def test_every_problem_is_said_at_once() -> None:
    with pytest.raises(PlanError) as refused:
        name_map(["a b", "a_b", "C D", "c-d", "_el_op", "LocalTime"], "preserve", {"nobody": "x"}, "columns of s.t")
    assert all(name in str(refused.value) for name in ("nobody", "_el_op", "LocalTime"))
    with pytest.raises(PlanError) as refused:
        name_map(["a b", "a_b", "C D", "c-d"], "snake_case", {}, "columns of s.t")
    assert all(name in str(refused.value) for name in ("'a b'", "'a_b'", "'C D'", "'c-d'"))


def test_a_rename_can_collide_too() -> None:
    with pytest.raises(PlanError, match=r"'Amount' and 'Total' would both be named 'amount'"):
        name_map(["Amount", "Total"], "snake_case", {"Total": "amount"}, "columns of s.t")


def test_names_that_differ_in_capitals_alone_collide_even_when_preserved() -> None:
    with pytest.raises(PlanError, match=r"'Name' and 'NAME'"):
        name_map(["Name", "NAME"], "preserve", {}, "columns of s.t")


@pytest.mark.parametrize("mode", ["snake_case", "preserve"])
@pytest.mark.parametrize("reserved", sorted(RESERVED))
def test_the_six_names_that_snowflake_refuses_even_quoted_need_a_rename(reserved: str, mode) -> None:
    for original in (reserved, reserved.lower()):
        with pytest.raises(PlanError, match=rf"Snowflake refuses.*columns: {{'{original}': {{rename: "):
            name_map([original], mode, {}, "columns of s.t")
        assert name_map([original], mode, {original: "source_time"}, "columns of s.t") == {original: "source_time"}


@pytest.mark.parametrize("mode", ["snake_case", "preserve"])
@pytest.mark.parametrize(
    "original", ["_dlt_load_id", "_dlt_id", "_el_op", "_EL_position", "_el_anything", "_DLT_loads"]
)
def test_names_of_landing_columns_and_tables_need_a_rename(original: str, mode) -> None:
    with pytest.raises(PlanError, match=r"el's own names.*rename: "):
        name_map([original], mode, {}, "tables of s")


def test_a_landing_name_that_only_normalising_makes_is_refused() -> None:
    with pytest.raises(PlanError, match=r"'_El Op' would be named '_el_op'"):
        name_map(["_El Op"], "snake_case", {}, "columns of s.t")


def test_a_preserved_name_over_255_characters_is_refused() -> None:
    with pytest.raises(PlanError, match=r"256 characters"):
        name_map(["x" * 256], "preserve", {}, "columns of s.t")
    assert name_map(["x" * 255], "preserve", {}, "columns of s.t")


def test_a_rename_of_nothing_is_an_error_and_lists_what_there_is() -> None:
    with pytest.raises(PlanError, match=r"rename of 'Prise' renames nothing; there are: Price, Qty"):
        name_map(["Price", "Qty"], "snake_case", {"Prise": "price"}, "columns of s.t")


def test_a_rename_must_itself_be_in_the_chosen_naming() -> None:
    with pytest.raises(PlanError, match=r"'OrderNo' is not in snake_case: write 'order_no'"):
        name_map(["Nr"], "snake_case", {"Nr": "OrderNo"}, "columns of s.t")
    assert name_map(["Nr"], "preserve", {"Nr": "OrderNo"}, "columns of s.t") == {"Nr": "OrderNo"}


def test_an_empty_rename_is_refused() -> None:
    with pytest.raises(PlanError, match="no name"):
        name_map(["Nr"], "preserve", {"Nr": ""}, "columns of s.t")


@given(st.lists(READABLE, min_size=1, max_size=8, unique=True))
def test_a_name_map_either_gives_every_column_its_own_name_or_refuses(originals: list[str]) -> None:
    try:
        found = name_map(originals, "snake_case", {}, "columns of s.t")
    except PlanError:
        names = [normalise(original) for original in originals]
        assert len(set(names)) < len(names) or RESERVED & {name.upper() for name in names}
    else:
        assert list(found) == originals
        assert len(set(found.values())) == len(originals)


@given(READABLE)
@example("current_date")
@example("_el_op")
def test_the_rename_that_a_message_offers_solves_the_problem(original: str) -> None:
    originals = [original, f"{original} "]
    with pytest.raises(PlanError) as refused:
        name_map(originals, "snake_case", {}, "columns of s.t")
    offered = re.findall(r"columns: \{'([^']*)': \{rename: (\w+)\}\}", str(refused.value))
    assert offered
    renames = {name: f"{new}{'' if name == original else '_2'}" for name, new in offered}
    assert set(name_map(originals, "snake_case", renames, "columns of s.t")) == set(originals)
