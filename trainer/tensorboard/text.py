"""Texts in TensorBoard, which are Markdown."""
# protobuf makes its classes at run time:
# pyright: reportAttributeAccessIssue=false

from tensorboard.compat.proto.summary_pb2 import Summary
from tensorboard.plugins.text.summary_v2 import text_pb

MOST = 20_000  # characters


def text(tag: str, markdown: str) -> Summary:
    """A text under `tag`.

    >>> text("outcome", "**finished**").value[0].tag
    'outcome'
    """
    return text_pb(tag, markdown)


def block(content: str, language: str = "") -> str:
    """`content` as it stands, letter under letter: a block of code in Markdown, cut where it is very long.

    >>> print(block("seed: 3", "yaml"))
    ```yaml
    seed: 3
    ```
    """
    rest = f"\n... and {len(content) - MOST:,} more characters" if len(content) > MOST else ""
    return f"```{language}\n{content[:MOST].rstrip()}{rest}\n```"
