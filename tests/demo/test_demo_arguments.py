"""The command line of the demo."""

from __future__ import annotations

import pytest

from demo.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["--help"], 0, "KEEP=1 make demo"),
        (["--keep"], 2, "unrecognized arguments: --keep"),
        (["now"], 2, "unrecognized arguments: now"),
    ],
)
def test_it_helps_and_refuses_what_it_does_not_know(capsys, arguments, status, says):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == status
    told = capsys.readouterr()
    assert says in " ".join((told.out + told.err).split())
