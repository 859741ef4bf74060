"""Jobs that share packs leave the files of their own command, byte for byte."""

import pytest

from packtrain.trainer.engines.prepare import load_data
from packtrain.trainer.folder.write import contents
from packtrain.trainer.service.packs import LivePack
from tests.trainer.service.trainings import CASES, case_of, digests


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", CASES)
def test_a_job_leaves_what_its_command_does_whoever_shares_its_pack(name: str) -> None:
    given = case_of(name)
    works = [job.work for job, _ in given]
    data, left = load_data(works[0].pack), {}

    def deliver(pack: LivePack) -> None:
        left.update({job.id: digests(dict(contents(result))) for job, result in pack.delivered()})

    pack = LivePack.begin(works[:1], data)
    if pack.merges:
        pack.session.advance(13)
        later = LivePack.begin(works[1:], data)
        while later.step < pack.step:
            later.session.advance(pack.step)
            deliver(later)
        pack = pack.merged(later)
    else:
        pack = LivePack.begin(works, data)
    while pack.jobs:
        pack.session.advance(pack.step + 9)
        deliver(pack)
        if pack.jobs and pack.merges and pack.left < pack.session.pack.runs:
            pack = pack.merged()
    assert left == {job.id: files for job, files in given}


def test_packs_that_have_come_unequally_far_never_become_one() -> None:
    works = [job.work for job, _ in case_of("equations")]
    data = load_data(works[0].pack)
    one, other = LivePack.begin(works[:1], data), LivePack.begin(works[1:], data)
    one.session.advance(5)
    with pytest.raises(AssertionError):
        one.merged(other)
