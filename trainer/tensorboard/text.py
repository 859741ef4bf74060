"""Texts in TensorBoard, which are Markdown."""

MOST = 20_000  # characters


def block(content: str, language: str = "") -> str:
    """`content` as it stands, letter under letter: a block of code in Markdown, cut where it is very long.

    >>> print(block("seed: 3", "yaml"))
    ```yaml
    seed: 3
    ```
    """
    rest = f"\n... and {len(content) - MOST:,} more characters" if len(content) > MOST else ""
    return f"```{language}\n{content[:MOST].rstrip()}{rest}\n```"
