# Two commands matter: `make run` measures and reports, `make test` proves. The rest is for whoever changes the code.
VENV := .venv
BIN := $(VENV)/bin
SOURCES := pyproject.toml CMakeLists.txt scripts/setup.sh $(shell find harness -name '*.cpp' -o -name '*.h')

.PHONY: run test check format clean

run: $(VENV)/.run
	$(BIN)/harness run configs/gptoss.yaml

test: $(VENV)/.test
	$(BIN)/pytest -n 2 --dist worksteal --durations=15

check: $(VENV)/.test
	scripts/check.sh

format: $(VENV)/.test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	find harness -name '*.cpp' -o -name '*.h' | xargs $(BIN)/clang-format -i

$(VENV)/.run: $(SOURCES)
	scripts/setup.sh run

$(VENV)/.test: $(SOURCES) package.json
	scripts/setup.sh test

clean:
	rm -rf $(VENV) build node_modules
