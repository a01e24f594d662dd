"""What a page folds away stands at the end of the book, as in a textbook: in its place is the page where to look."""

import re

from paper.words import AFTER_NUMBER

_QUESTION = re.compile("[?？:：]")  # a summary without these only names what it hides: hint, solution


def gather(soup, chapters, said: dict, language: str):
    """Move the contents of all `details` of the chapters into one chapter of answers, and return it."""
    answers = soup.new_tag("section", attrs={"class": "paper-chapter paper-answers", "data-title": said["answers"]})
    answers.append(_heading(soup, "h1", said["answers"], "chapter-answers"))
    count = 0
    for chapter in chapters:
        folded = [box for box in chapter.find_all("details") if not box.find_parent(["figure", "details"])]
        if folded:
            answers.append(_heading(soup, "h2", chapter["data-title"], None))
        for box in folded:
            count += 1
            answers.append(_answer(soup, box, f"answer-{count}", said, language))
    for box in [*answers.find_all("details"), *(box for chapter in chapters for box in chapter.find_all("details"))]:
        box["open"] = ""
    return answers


def _heading(soup, name: str, text: str, anchor: str | None):
    heading = soup.new_tag(name, attrs={"id": anchor} if anchor else {})
    heading.string = text
    return heading


def _answer(soup, box, anchor: str, said: dict, language: str):
    """Replace a folded box by a pointer; return what it held, under a heading that leads back."""
    summary = box.find("summary").extract()
    question = " ".join(summary.get_text().split())
    named = not _QUESTION.search(question)
    title = said["of"].format(exercise=_exercise(box), name=question) if named else question
    pointer = soup.new_tag("p", attrs={"class": "paper-pointer" if named else "paper-check", "id": f"from-{anchor}"})
    if not named:
        for part in list(summary.contents):
            pointer.append(part)
        pointer.append(" ")
    link = soup.new_tag("a", attrs={"href": f"#{anchor}", "class": "paper-see"})
    link.string = f"{said['on_page'].format(name=question) if named else said['answer_on']}" + _space(language)
    number = soup.new_tag("span", attrs={"data-page-of": anchor})
    number.string = "000"
    link.append(number)
    link.append(AFTER_NUMBER[language])
    pointer.append(link)
    box.insert_before(pointer)
    entry = soup.new_tag("section", attrs={"class": "paper-answer", "id": anchor})
    heading = soup.new_tag("p", attrs={"class": "paper-answer-title"})
    back = soup.new_tag("a", attrs={"href": f"#from-{anchor}"})
    back.string = title
    heading.append(back)
    entry.append(heading)
    for part in list(box.contents):
        entry.append(part)
    box.decompose()
    return entry


def _space(language: str) -> str:
    return " " if AFTER_NUMBER[language] == "" else ""


def _exercise(box) -> str:
    """What a hint or solution belongs to: a card by its title, a bold beginning with its full stop, or a heading."""
    if card := box.find_parent(class_="bnlib-widget"):
        return card.find("strong").get_text().strip()
    for paragraph in box.find_all_previous(["p", "h1", "h2", "h3"]):
        strong = paragraph.find("strong")
        first = strong is not None and not "".join(map(str, strong.previous_siblings)).strip()
        if first and strong.get_text().strip().endswith((".", "。", ":", "：")):
            return re.sub(r"[.。:：]$", "", strong.get_text().strip())
        if paragraph.name != "p":
            return re.sub(r"[.。:：]$", "", paragraph.get_text().strip())
    return ""
