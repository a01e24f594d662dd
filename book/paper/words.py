"""What the printed book says besides the text of its pages, in each language."""

WORDS = {
    "en": {
        "edition": "English edition",
        "version": "Version {version}",
        "contents": "Contents",
        "chapter": "Chapter {number}",
        "introduction": "Introduction",
        "answers": "Answers",
        "self_check": "Self-check",
        "answer_on": "Answer: page",
        "on_page": "{name}: page",
        "of": "{exercise}, {name}",
        "still": "A still picture: in the web edition this can be moved and changed.",
        "about": (
            "The web edition of this book has what paper cannot hold: widgets that move, figures with the table of "
            "their data, the reference of the library, and a button that opens each chapter as a notebook. Here the "
            "widgets are still pictures. Answers to the self-checks, hints and solutions stand after the last "
            "chapter. A first cell that is the same in every notebook is printed once."
        ),
        "address": "Web edition: ",
    },
    "zh": {
        "edition": "中文版",
        "version": "版本{version}",
        "contents": "目录",
        "chapter": "第{number}章",
        "introduction": "导言",
        "answers": "答案",
        "self_check": "自测",
        "answer_on": "答案见第",
        "on_page": "{name}见第",
        "of": "{exercise}：{name}",
        "still": "这是静止的图；在网页版里可以动手改。",
        "about": (
            "有些东西纸上放不下，要到网页版里去看：能动的演示、图背后的数据表、库的参考手册，还有把每一章作为笔记本打开的按钮。"
            "在这里，演示换成了静止的图；自测的答案、练习的提示和解答都在最后一章之后。每个笔记本都相同的第一个单元格只印一次。"
        ),
        "address": "网页版：",
    },
}
AFTER_NUMBER = {"en": "", "zh": "页"}  # "Answer: page 7", “答案见第7页”
