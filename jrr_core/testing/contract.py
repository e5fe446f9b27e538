"""How the suites say what is wrong: the rule, what was found, and where the rule is written down."""

PAGE = "docs/plugins/conformance.md"


def broken(anchor: str, rule: str, found: object) -> str:
    """Return the failure text for a rule of the conformance page, with at most 400 characters of what was found."""
    text = str(found)
    if len(text) > 400:
        text = f"{text[:400]}..."
    return f"{rule} Found: {text}. See {PAGE}#{anchor}"
