"""Golden files: `### title`, a config, `>>>`, the message it earns, compared to the letter.

Run this module to write the messages anew; read the difference before committing it.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.config.read import parse_config
from harness.errors import ConfigError

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Golden:
    file: str
    title: str
    config: str
    message: str


def message_of(config: str) -> str:
    """What `harness validate` would say to the config; "accepted" if nothing."""
    try:
        parse_config(config.encode(), "config.yaml", Path("/nowhere"))
    except ConfigError as error:
        return str(error)
    return "accepted"


def read_golden() -> list[Golden]:
    found = []
    for path in sorted(FOLDER.glob("*.golden")):
        for block in path.read_text().split("### ")[1:]:
            title, _, rest = block.partition("\n")
            config, _, message = rest.partition(">>>\n")
            found.append(Golden(path.stem, title, config, message.strip("\n")))
    return found


def main() -> None:
    texts: dict[str, str] = {}
    for golden in read_golden():
        block = f"### {golden.title}\n{golden.config}>>>\n{message_of(golden.config)}\n\n"
        texts[golden.file] = texts.get(golden.file, "") + block
    for name, text in texts.items():
        (FOLDER / f"{name}.golden").write_text(text.rstrip("\n") + "\n")


if __name__ == "__main__":
    main()
