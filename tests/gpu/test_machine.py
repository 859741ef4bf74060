"""The emulated GPU computes as PTX's manual says, and notices what kernels must not do."""

import numpy as np
import pytest
import torch

from tests.gpu import machine
from tests.gpu.memory import Arena, Fault
from tests.gpu.program import Launch
from tests.gpu.text import parse

THREADS = 64
KERNEL = """
.global .align 4 .b8 table[8] = {{1, 0, 0, 0, 7, 0, 0, 0}};
.visible .entry kernel(
	.param .u64 .ptr .global .align 1 data
)
{{
	.reg .pred 	%p<9>;
	.loc	1 7 5                          // kernel.py:7:5
	ld.param.b64 	%rd1, [data];
	mov.u32 	%r1, %tid.x;
	mul.wide.u32 	%rd2, %r1, 4;
	add.s64 	%rd3, %rd1, %rd2;
	shl.b32 	%r2, %r1, 2;
{body}
	ret;
}}
"""


def run(
    *lines: str,
    numbers: int = THREADS,
    programs: int = 1,
    threads: int = THREADS,
    data: torch.Tensor | None = None,
) -> torch.Tensor:
    """Runs a kernel on the int32 numbers 0, 1, ...; %r1 is the thread, %rd3 the address of its number."""
    data = torch.arange(numbers, dtype=torch.int32) if data is None else data
    module = parse(KERNEL.format(body="\n".join(lines)))
    arena = Arena([data], module.tables)
    parameters = [np.full(threads, arena.address(data), "u8")]
    machine.run(Launch(module, programs, threads, 16 * threads, arena), parameters)
    arena.take_back()
    return data


def test_each_thread_has_numbers_of_its_own() -> None:
    result = run("ld.global.b32 %r3, [%rd3];", "mad.lo.s32 %r4, %r3, 3, -1;", "st.global.b32 [%rd3], %r4;")
    assert result.equal(3 * torch.arange(THREADS, dtype=torch.int32) - 1)


def test_threads_that_branch_meet_again() -> None:
    result = run(
        "setp.lt.s32 %p1, %r1, 40;", "@%p1 bra $few;", "mov.b32 %r3, 5;", "bra.uni $end;",
        "$few: ", "mov.b32 %r3, 9;", "$end: ", "bar.sync 0;", "st.global.b32 [%rd3], %r3;",
    )  # fmt: skip
    assert result.tolist() == [9] * 40 + [5] * 24


def test_a_loop_ends_for_each_thread_by_itself() -> None:
    result = run(
        "mov.b32 %r3, 0;", "$again: ", "add.s32 %r3, %r3, 2;", "setp.lt.u32 %p1, %r3, %r1;",
        "@%p1 bra $again;", "st.global.b32 [%rd3], %r3;",
    )  # fmt: skip
    assert result.tolist() == [max(2, i + i % 2) for i in range(THREADS)]


def test_a_barrier_that_some_threads_miss_is_a_fault() -> None:
    with pytest.raises(
        Fault, match=r"some threads wait at a barrier, others don't: bar.sync of kernel.py:7:5"
    ):
        run("setp.lt.s32 %p1, %r1, 40;", "@%p1 bra $end;", "bar.sync 0;", "$end: ")


SHIFTED = "add.s32 %r5, %r2, 4;", "and.b32 %r5, %r5, 255;"  # the neighbour's place
THROUGH = "st.shared.b32 [%r2], %r1;", *SHIFTED


@pytest.mark.parametrize("space", ["global", "shared"])
def test_what_another_thread_wrote_is_behind_a_barrier(space: str) -> None:
    place = "%r2" if space == "shared" else "%rd3"
    neighbour = "%r5" if space == "shared" else "%rd5"
    lines = (
        f"st.{space}.b32 [{place}], %r1;", *SHIFTED, "cvt.u64.u32 %rd4, %r5;", "add.s64 %rd5, %rd1, %rd4;",
        "{}", f"ld.{space}.b32 %r6, [{neighbour}];", "bar.sync 0;", "st.global.b32 [%rd3], %r6;",
    )  # fmt: skip
    result = run(*(line.format("bar.sync 0;") for line in lines))
    assert result.tolist() == [*range(1, THREADS), 0]
    with pytest.raises(Fault, match=f"{space} memory: .* reads what another thread writes, and no barrier"):
        run(*(line.format("") for line in lines))


def test_what_another_thread_read_is_not_written_before_a_barrier() -> None:
    lines = (*THROUGH, "bar.sync 0;", "ld.shared.b32 %r6, [%r5];", "{}", "st.shared.b32 [%r2], %r6;")
    run(*(line.format("bar.sync 0;") for line in lines))
    with pytest.raises(Fault, match="writes what another thread touches, and no barrier is between"):
        run(*(line.format("") for line in lines))


def test_what_many_threads_read_is_not_written_before_a_barrier() -> None:
    lines = "ld.shared.b32 %r6, [0];", "setp.eq.s32 %p1, %r1, {};", "@%p1 st.shared.b32 [0], %r1;"
    for reader in (0, 5, 63):
        with pytest.raises(Fault, match="writes what another thread touches"):
            run(*(line.format(reader) for line in lines))


def test_a_barrier_of_a_warp_orders_its_own_threads_alone() -> None:
    within = "xor.b32 %r5, %r2, 4;"
    across = "xor.b32 %r5, %r2, 128;"
    for neighbour, ordered in ((within, True), (across, False)):
        lines = "st.shared.b32 [%r2], %r1;", "bar.warp.sync -1;", neighbour, "ld.shared.b32 %r6, [%r5];"
        if ordered:
            run(*lines)
        else:
            with pytest.raises(Fault, match="reads what another thread writes"):
                run(*lines)
    with pytest.raises(Fault, match="reads what another thread writes"):
        run("st.shared.b32 [%r2], %r1;", within, "ld.shared.b32 %r6, [%r5];")


def test_threads_that_write_to_one_place_agree() -> None:
    run("st.shared.b32 [0], 5;")
    with pytest.raises(Fault, match="writes something else than another thread in the same instruction"):
        run("st.shared.b32 [0], %r1;")


def test_programs_share_nothing_that_they_write() -> None:
    run("ld.global.b32 %r3, [%rd3];", programs=2)
    for lines in (["st.global.b32 [%rd3], 1;"], ["ld.global.b32 %r3, [%rd3];", "st.global.b32 [%rd3], %r3;"]):
        with pytest.raises(Fault, match="another program"):
            run(*lines, programs=2)


def test_memory_that_was_not_given_is_not_touched() -> None:
    for lines, numbers in (("ld.global.b32 %r3, [%rd3+4];", THREADS), ("ld.global.b32 %r3, [%rd3];", 63)):
        with pytest.raises(Fault, match="thread 63 of those active touches what it wasn't given"):
            run(lines, numbers=numbers)
    with pytest.raises(Fault, match="is outside of all memory"):
        run("st.shared.b32 [%r2+1020], 0;")


def test_addresses_are_multiples_of_what_is_read() -> None:
    run("shl.b32 %r3, %r1, 4;", "ld.shared.v4.b32 {%r4, %r5, %r6, %r7}, [%r3];")
    with pytest.raises(Fault, match="is no multiple of 16"):
        run("ld.shared.v4.b32 {%r4, %r5, %r6, %r7}, [%r2];")


def test_a_register_is_not_read_before_it_is_written() -> None:
    with pytest.raises(Fault, match=r"%r9 has no value yet: add.s32 of kernel.py:7:5, program 0"):
        run("add.s32 %r3, %r9, 1;")


def test_a_trap_is_a_fault() -> None:
    run("setp.lt.s32 %p1, %r1, 0;", "@%p1 trap;")
    with pytest.raises(Fault, match=r"a trap: trap of kernel.py:7:5"):
        run("setp.lt.s32 %p1, %r1, 1;", "@%p1 trap;")


def test_a_program_that_does_not_end_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.gpu.program.MOST", 1000)
    with pytest.raises(AssertionError, match="a program doesn't end"):
        run("$again: ", "bra.uni $again;")


@pytest.mark.parametrize(
    "line", ["atom.global.add.u32 %r3, [%rd3], 1;", "cp.async.bulk.tensor.2d [%r2], [%rd3], [%r1];"]
)
def test_an_instruction_without_a_meaning_is_a_fault(line: str) -> None:
    with pytest.raises(Fault, match=f"no meaning is known of it: {line.partition(' ')[0]} of kernel.py:7:5"):
        run(line)


def test_lanes_exchange_numbers() -> None:
    result = run("shfl.sync.bfly.b32 %r3, %r1, 3, 31, -1;", "st.global.b32 [%rd3], %r3;")
    assert result.tolist() == [i ^ 3 for i in range(THREADS)]
    result = run("redux.sync.max.s32 %r3, %r1, -1;", "st.global.b32 [%rd3], %r3;")
    assert result.tolist() == [31] * 32 + [63] * 32


def test_tables_and_sums_that_carry() -> None:
    result = run(
        "mov.b64 %rd4, table;", "ld.global.nc.b32 %r3, [%rd4+4];", "mad.lo.cc.u32 %r4, %r3, -1, 8;",
        "madc.hi.u32 %r5, %r3, -1, 0;", "add.s32 %r6, %r4, %r5;", "st.global.b32 [%rd3], %r6;",
    )  # fmt: skip
    assert result[0] == (7 * (2**32 - 1) + 8) % 2**32 + (7 * (2**32 - 1) + 8 >> 32)


def test_copies_arrive_when_they_are_waited_for() -> None:
    lines = (
        "cp.async.ca.shared.global [%r2], [%rd3], 0x4;", "cp.async.commit_group;", "{}",
        "ld.shared.b32 %r3, [%r2];", "st.global.b32 [%rd3], %r3;",
    )  # fmt: skip
    assert run(*(line.format("cp.async.wait_group 0;") for line in lines)).equal(torch.arange(64).int())
    assert run(*(line.format("") for line in lines)).eq(-1).all()


def test_a_product_of_tensor_cores_is_a_product() -> None:
    """Of two warps: A of tf32 has rows g and g + 8, columns t and t + 4."""
    generator = torch.Generator().manual_seed(1)
    a, b = (
        torch.randint(-9, 9, (16, 8), generator=generator),
        torch.randint(-9, 9, (8, 8), generator=generator),
    )
    g, t = np.divmod(np.arange(THREADS) % 32, 4)
    parts = [a[g, t], a[g + 8, t], a[g, t + 4], a[g + 8, t + 4], b[t, g], b[t + 4, g]]
    data = torch.cat([part.float() for part in parts]).view(torch.int32)
    loads = [f"ld.global.b32 %r1{i}, [%rd3+{256 * i}];" for i in range(6)]
    result = run(
        *loads, "mov.b32 %r9, 0f3F800000;",
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%r20, %r21, %r22, %r23}, "
        "{%r10, %r11, %r12, %r13}, {%r14, %r15}, {%r9, %r9, %r9, %r9};",
        *(f"st.global.b32 [%rd3+{256 * i}], %r2{i};" for i in range(4)), data=data,
    )  # fmt: skip
    c = (a @ b + 1).float()
    expected = [c[g, 2 * t], c[g, 2 * t + 1], c[g + 8, 2 * t], c[g + 8, 2 * t + 1]]
    assert result.view(torch.float32)[: 4 * THREADS].equal(torch.cat(expected))


ONES = "mov.b32 %r4, 0f3F800000;", "shl.b32 %r5, %r1, 4;", "st.shared.v4.b32 [%r5], {%r4, %r4, %r4, %r4};"
OPERANDS = 128 >> 4 << 16 | 256 >> 4 << 32  # from 0 on: bytes to the next 16 of a row, to the next 8 rows
WGMMA = (
    f"mov.b64 %rd4, {OPERANDS};", "setp.lt.s32 %p1, %r1, 0;", "wgmma.fence.sync.aligned;",
    "wgmma.mma_async.sync.aligned.m64n8k8.f32.tf32.tf32 {%r10, %r11, %r12, %r13}, %rd4, %rd4, %p1, 1, 1;",
    "wgmma.commit_group.sync.aligned;",
)  # fmt: skip
WAIT, STORE = "wgmma.wait_group.sync.aligned 0;", "st.global.b32 [%rd3], %r13;"


def test_a_product_of_four_warps_is_a_product() -> None:
    result = run(*ONES, "bar.sync 0;", *WGMMA, WAIT, STORE, numbers=128, threads=128)
    assert result.view(torch.float32).eq(8).all()


@pytest.mark.parametrize(
    ("barrier", "between"), [("", ""), ("bar.sync 0;", ONES[-1])], ids=["too late", "too early"]
)
def test_operands_are_written_before_a_barrier_and_not_again(barrier: str, between: str) -> None:
    with pytest.raises(Fault, match="another thread"):
        run(*ONES, barrier, *WGMMA, between, WAIT, numbers=128, threads=128)
