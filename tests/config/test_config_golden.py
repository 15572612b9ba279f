import pytest
from golden_config import Golden, message_of, read_golden

GOLDEN = read_golden()


@pytest.mark.parametrize("golden", GOLDEN, ids=[f"{g.file}: {g.title}" for g in GOLDEN])
def test_a_mistake_is_told_to_the_letter(golden: Golden) -> None:
    assert message_of(golden.config) == golden.message


def test_there_are_sixty_of_them_and_none_is_accepted() -> None:
    assert len(GOLDEN) >= 60
    assert not [golden.title for golden in GOLDEN if golden.message == "accepted"]
