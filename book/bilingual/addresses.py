"""The repository's address, from the one field that holds it, and the addresses that follow from it."""

from urllib.parse import quote, urlsplit

GITHUB = "https://github.com/"


def repository(url: str) -> str:
    """owner/name, or nothing while the address is unknown."""
    return url.removeprefix(GITHUB).rstrip("/").removesuffix(".git")


def is_repository(url: str) -> bool:
    """Whether an address has the form https://github.com/owner/name."""
    parts = repository(url).split("/")
    return url.startswith(GITHUB) and len(parts) == 2 and all(parts)


def site(name: str) -> str:
    """Where GitHub Pages serves the book of a repository, with a slash at the end; nothing for no repository."""
    if not name:
        return ""
    owner, book = name.split("/")
    host = f"https://{owner.lower()}.github.io/"
    return host if book.lower() == f"{owner.lower()}.github.io" else f"{host}{book}/"


def site_path(name: str) -> str:
    """The path below which the book is served; a book of no known address is thought to be at the root."""
    return urlsplit(site(name)).path or "/"


def colab(name: str, branch: str, notebook: str) -> str:
    return f"https://colab.research.google.com/github/{name}/blob/{branch}/{notebook}"


def binder(name: str, branch: str, notebook: str) -> str:
    return f"https://mybinder.org/v2/gh/{name}/{quote(branch, safe='')}?urlpath=lab/tree/{notebook}"
