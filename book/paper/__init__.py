"""The book on paper: the built pages of one language as one document, which a browser prints.

document.py joins the pages, front.py writes what stands before them, answers.py moves what is folded on a page to the
end of the book, pdf.py reads page numbers from the print and writes what the file says of itself.
"""
