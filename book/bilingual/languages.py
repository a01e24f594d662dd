"""Which language a page is in, which page is its counterpart, and what is said around the text in each language."""

CODES = {"en": "en", "zh": "zh-CN"}  # folder below chapters/ and api/ -> language tag of HTML
FOLDERS = ("chapters", "api")
NAMES = {"en": "English", "zh": "中文"}
REFERENCE = {"en": "Reference", "zh": "参考"}  # the part of the table of contents after a language's chapters
DEFAULT = "en"

# What no message catalog of the themes translates.
THEME_STRINGS = {
    "Search...": "搜索……",
    "Search": "搜索",
    "Ctrl": "Ctrl",
    "On this page": "本页目录",
    "Contents": "本页目录",
    "Print to PDF": "打印为PDF",
    "Launch interactive content": "打开可运行的笔记本",
    "Toggle primary sidebar": "显示或隐藏章节目录",
    "Toggle secondary sidebar": "显示或隐藏本页目录",
    "Main": "章节",
    "Link to this heading": "本节的链接",
    "Link to this image": "这张图的链接",
    "Link to this table": "这张表的链接",
    "Link to this equation": "这个公式的链接",
    "Link to this code": "这段代码的链接",
    "Copy to clipboard": "复制到剪贴板",
    "Skip to main content": "跳到正文",
    "Back to top": "回到顶部",
    "Breadcrumb": "当前位置",
    "Color mode": "明暗模式",
    "Light": "亮色",
    "Dark": "暗色",
    "System Settings": "跟随系统",
    "next page": "下一页",
    "previous page": "上一页",
    "previous": "上一页",
    "next": "下一页",
    "logo": "标志",
    "Home": "首页",
}


def language_of(docname: str) -> str | None:
    """The folder's language, None for pages that belong to none (landing page, search)."""
    parts = docname.split("/")
    return parts[1] if len(parts) == 3 and parts[0] in FOLDERS and parts[1] in CODES else None


def is_search(pagename: str) -> bool:
    """Whether this is a page that shows what a search has found."""
    return pagename.rsplit("/", 1)[-1] == "search"


def counterpart(docname: str) -> str | None:
    """The same page in the other language."""
    language = language_of(docname)
    if language is None:
        return None
    (other,) = set(CODES) - {language}
    folder, _, name = docname.split("/")
    return f"{folder}/{other}/{name}"
