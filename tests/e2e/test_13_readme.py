"""What the documentation says, done: the commands of README.md, the values in docs/rules.md, and the names of
tests, files, log events and filters that the documents refer to."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest

from harness import BUILD, HANG_GUARD_S, ROOT, TIED, WRAP, wait_until
from worker import literal

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "docker").glob("*.md"))]
FENCE = r"```[a-z]*\n(?P<text>.*?)```"


def marked(path, kind):
    """[(name, text)] of the fenced blocks that follow a comment <!-- kind: name -->."""
    pattern = rf"<!-- {kind}: (?P<name>[a-z-]+) -->\n" + FENCE
    return [(found["name"], found["text"]) for found in re.finditer(pattern, path.read_text(), re.DOTALL)]


README = dict(marked(ROOT / "README.md", "test"))
OUTPUTS = dict(marked(ROOT / "README.md", "output"))


# --- README: its commands ----------------------------------------------------------------------------

class Shell:
    """One bash for all blocks, so that variables and background jobs go on from block to block."""

    def __init__(self, folder):
        self.folder = folder
        env = {name: value for name, value in os.environ.items() if not name.startswith("SENDX_")}
        self.bash = subprocess.Popen([*TIED, "bash", "--norc"], cwd=folder, env=env,
                                     text=True, stdin=subprocess.PIPE, start_new_session=True,
                                     stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.count = 0

    def run(self, text):
        """Runs TEXT as if it was pasted; returns (status of the last command, what was printed)."""
        self.count += 1
        out, end = self.folder / f"block-{self.count}.out", self.folder / f"block-{self.count}.end"
        # Jobs in the background keep the file open, and do not keep us waiting.
        self.bash.stdin.write(f"{{ {text}\n}} >{out} 2>&1\necho $? >{end}.part; mv {end}.part {end}\n")
        self.bash.stdin.flush()
        wait_until(f"the block to end:\n{text}", end.exists, show=lambda: out.read_text())
        return int(end.read_text()), out.read_text()

    def check(self, text):
        status, printed = self.run(text)
        assert status == 0, f"ended with {status}:\n{text}\n{printed}"
        return printed

    def close(self):
        os.killpg(self.bash.pid, signal.SIGTERM)
        self.bash.stdin.close()
        os.killpg(self.bash.pid, signal.SIGKILL)
        self.bash.wait(HANG_GUARD_S)


@pytest.fixture
def shell(tmp_path):
    """A shell in a place that looks like the root of a built repository. The programs end with it."""
    (tmp_path / "build").mkdir()
    for name in ("sendx-worker", "sendx-sandbox"):
        program = tmp_path / "build" / name
        command = " ".join([*TIED, *WRAP, str(BUILD / name)])
        program.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
        program.chmod(0o755)
    shutil.copytree(ROOT / "conf", tmp_path / "conf")
    shell = Shell(tmp_path)
    yield shell
    shell.close()


def one_contact(printed):
    """The contact that the sandbox printed, without the ids it made up; None as long as there is none."""
    contacts = json.loads(printed)["contacts"]
    return {name: value for name, value in contacts[0].items() if not name.startswith("encrypted")} \
        if contacts else None


def test_a_first_rule_goes_as_the_readme_says(shell):
    for program in ("curl", "kcat"):
        assert shutil.which(program), f"{program} is missing: run ./deps test first"
    for name in ("sandbox", "rule", "run"):
        shell.check(README[name])
    expected = one_contact(OUTPUTS["look"])
    wait_until("the contact", lambda: one_contact(shell.check("kill -0 $worker && " + README["look"])) == expected,
               show=lambda: shell.check(README["look"]) + (shell.folder / "build/first.log").read_text())
    assert shell.check(README["explain"]) == OUTPUTS["explain"]
    status, printed = shell.run(README["mistake"])
    assert status == 2
    assert printed == OUTPUTS["mistake"]
    shell.check(README["stop"])
    assert "event=worker.stopped" in (shell.folder / "build/first.log").read_text()


def test_a_copy_of_conf_becomes_ones_own(shell):
    """Between the blocks the reader writes addresses into the copy; here those of a sandbox."""
    shell.check("build/sendx-sandbox --api-key your-key --team-id your-team --ready-file ready &\n"
                "until [ -e ready ]; do sleep 0.1; done")
    shell.check(README["own"])
    api = (shell.folder / "ready").read_text().split("api=")[1].strip()
    path = shell.folder / "my-conf/sendx-worker.conf"
    text, count = re.subn(r'base_url = "[^"]*"', f'base_url = "{api}/api/v1"', path.read_text())
    assert count == 1
    path.write_text(text)
    assert "you@example.com" in shell.check(README["own-check"])
    assert "not ok" not in shell.check(README["own-test"])
    assert one_contact(shell.check(f"curl -s {api}/_sandbox/contacts")) == {
        "email": "you@example.com", "customFields": {}, "tags": []}


def test_the_two_commands_are_targets():
    helped = subprocess.run(["make", "-C", ROOT, "--no-print-directory", "help"], capture_output=True, text=True,
                            timeout=HANG_GUARD_S)
    targets = {line.split()[0] for line in helped.stdout.splitlines() if line.split()}
    named = {name for path in DOCUMENTS
             for name in re.findall(r"(?:^|`)make ([a-z][a-z-]+)", path.read_text(), re.MULTILINE)}
    assert {"demo", "test"} <= named
    assert named <= targets, f"not in make help: {sorted(named - targets)}"


# --- docs/rules.md: its values -----------------------------------------------------------------------

def test_the_values_in_the_reference_of_rules_are_right(scene):
    """Each expression becomes a custom field that holds its value, in an array, as JSON."""
    path = ROOT / "docs/rules.md"
    examples = dict(marked(path, "example"))
    pairs = [re.split(r"\s+→\s+", line) for name, text in marked(path, "example") if name == "expressions"
             for line in text.splitlines()]
    pairs += [(row["example"], row["value"]) for row in filters_of_source()]
    fields = ", ".join(f'({literal(f"n{n}")}, {literal("${[" + expression + "] | json}")})'
                       for n, (expression, _) in enumerate(pairs))
    scene.create_topics(events=1)
    rules = (f'tables: {{ plan_tag = ( ("pro", "paid user") ); }};\n'
             f'rules: ( {{ name = "examples"; topics = [ {literal(scene.topic())} ];\n'
             f'  identify: {{ email = "ada@example.com"; customFields = ( {fields} ); }}; }} );')
    scene.produce([(0, None, examples["event"].encode())])
    worker = scene.start_worker(rules=rules)
    scene.wait_until_finished(worker)
    worker.stop()
    seen = scene.sandbox.contact("ada@example.com")["customFields"]
    wrong = [f"  {expression}  →  {seen.get(f'n{n}')}, and not [{value}]"
             for n, (expression, value) in enumerate(pairs)
             if json.loads(seen.get(f"n{n}", '"nothing"')) != [json.loads(value)]]
    assert not wrong, "\n".join(["", *wrong])
    assert len(pairs) > 50, "the examples were not found"


def c_texts(text):
    """The string literals in a piece of C, adjacent ones joined."""
    found, end = [], None
    for part in re.finditer(r'"((?:[^"\\]|\\.)*)"', text):
        plain = re.sub(r"\\(.)", r"\1", part[1])
        if end is not None and not text[end:part.start()].strip():
            found[-1] += plain
        else:
            found.append(plain)
        end = part.end()
    return found


def filters_of_source():
    """The table of filters in src/rules/filter.c: a row is FILTER(name, scope, …, arguments, doc, example, value)."""
    source = (ROOT / "src/rules/filter.c").read_text()
    table = source[source.index("FILTERS[] = {"):]
    rows = []
    for row in table[:table.index("\n};")].split("\n    FILTER(")[1:]:
        arguments, doc, example, value = (c_texts(row) + [None, None])[:4]
        name, scope = re.match(r"(\w+), (\w+),", row).groups()
        rows.append({"name": name, "arguments": arguments, "each": scope == "EACH", "doc": doc,
                     "example": example, "value": value})
    assert len(rows) > 20
    return rows


def test_the_table_of_filters_is_that_of_the_source():
    def code(text):
        return "`" + text.replace("|", "\\|") + "`" if text else ""
    wanted = ["| Filter | each | | Example | Value |", "|---|---|---|---|---|"]
    for row in filters_of_source():
        wanted.append(f"| {code(row['name'] + row['arguments'])} | {'each' if row['each'] else ''} | {row['doc']} "
                      f"| {code(row['example'])} | {code(row['value'])} |")
    text = (ROOT / "docs/rules.md").read_text()
    seen = re.search(r"<!-- filters -->\n(.*?)<!-- /filters -->", text, re.DOTALL)[1]
    assert seen.splitlines() == wanted, "docs/rules.md should hold:\n" + "\n".join(wanted)


# --- names -------------------------------------------------------------------------------------------

@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path):
    def anchors(target):
        headings = re.findall(r"^#+ (.*)$", target.read_text(), re.MULTILINE)
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    broken = []
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_tests_and_sources_that_are_named_exist(path):
    missing = []
    text = path.read_text()
    for file, name in re.findall(r"\b(test_\w+\.(?:py|c))(?:::(\w+))?", text):
        found = [ROOT / "tests" / folder / file for folder in ("e2e", "unit")
                 if (ROOT / "tests" / folder / file).exists()]
        if not found or (name and not re.search(rf"\b{name}\(", found[0].read_text())):
            missing.append(f"{file}::{name}" if name else file)
    for name in re.findall(r"`((?:src|tests|conf|docs|docker|deploy)/[\w./-]+)`", text):
        if not (ROOT / name).exists():
            missing.append(name)
    assert not missing


def test_the_names_of_the_log_are_those_of_the_source():
    done = subprocess.run([ROOT / "tests/logs"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
