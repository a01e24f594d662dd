# make book   build the book into _build/html                make serve      serve it on http://127.0.0.1:8000
# make test   everything that can go wrong, tried            make lint       ruff and the Chinese style checks
# make run    execute the notebooks, store their outputs     make configure  write the repository's address
# make pdf    print it, one PDF per language                 make lab        open the notebooks in JupyterLab
# make bench  side by side with torch's kernels and d2l   make handout    notebooks for students, for teachers
# make clean  remove what was built (not .venv)

# whichever Python runs; tools/environment.py looks for one of a fitting version, $PYTHON alone if it is set
PYTHON3 := $(or $(shell for p in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
	$$p -c "" 2>/dev/null && echo $$p && break; done),python3)
IN_VENV := .venv/bin/python
PORT ?= 8000

.PHONY: help book pdf serve test lint run lab bench handout configure clean book-environment full-environment

help:
	@sed -n 's/^# make/make/p' Makefile

book: book-environment
	@$(IN_VENV) tools/book.py

pdf: full-environment
	@$(IN_VENV) tools/book.py
	@$(IN_VENV) tools/pdf.py

serve:
	@$(or $(wildcard $(IN_VENV)),$(PYTHON3)) tools/serve.py $(PORT)

test: full-environment
	@$(IN_VENV) tools/check.py

lint: full-environment
	@$(IN_VENV) tools/check.py lint

run: full-environment
	@$(IN_VENV) tools/notebooks.py $(NOTEBOOK)

lab: full-environment
	@$(IN_VENV) -m jupyterlab chapters

bench: full-environment
	@$(IN_VENV) benchmarks/batch_norm.py
	@$(IN_VENV) benchmarks/training.py

handout: full-environment
	@for language in en zh; do \
		$(IN_VENV) -m bnlib --lang $$language handout chapters/$$language --out _build/handout/$$language \
			$(if $(GRADED),--graded $(GRADED)) || exit; \
	done

configure: book-environment
	@$(IN_VENV) tools/configure.py "$(REPO)"

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis bnlib.egg-info bn_course.egg-info

book-environment:
	@$(PYTHON3) tools/environment.py book

full-environment:
	@$(PYTHON3) tools/environment.py full
