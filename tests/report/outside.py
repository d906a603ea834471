"""Reads an export with the outside tool it is meant for; run in an environment of its own: FORM FILE.

Exit 0: accepted. The faults otherwise, one a line, and exit 1.
"""

import sys
from pathlib import Path


def cyclonedx(path):
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    fault = JsonStrictValidator(SchemaVersion.V1_7).validate_str(Path(path).read_text(encoding="utf-8"))
    return [str(fault)] if fault else []


def spdx(path):
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    return [fault.validation_message for fault in validate_full_spdx_document(parse_file(path))]


def hf_card(path):
    from huggingface_hub import ModelCard

    card = ModelCard(Path(path).read_text(encoding="utf-8"))
    return [] if card.data.eval_results and card.text.strip().startswith("# ") else ["no results"]


def croissant(path):
    import mlcroissant

    issues = mlcroissant.Dataset(jsonld=path).metadata.issues
    return [str(issue) for issue in (*issues.errors, *issues.warnings)]


def sarif(path):
    import json
    import subprocess

    from sarif_pydantic import Sarif

    text = Path(path).read_text(encoding="utf-8")
    made = Sarif.model_validate(json.loads(text))
    rules = {rule.id for rule in made.runs[0].tool.driver.rules}
    faults = [f"no rule {found.rule_id}" for found in made.runs[0].results if found.rule_id not in rules]
    command = [Path(sys.executable).with_name("sarif"), "summary", path]
    read = subprocess.run(command, capture_output=True, text=True, check=False)
    return faults + ([read.stderr] if read.returncode else [])


def junit(path):
    from junitparser import JUnitXml

    made = JUnitXml.fromfile(path)
    cases = [case for suite in made for case in suite]
    counts = (
        len(cases),
        *(
            sum(any(type(r).__name__ == kind for r in case.result) for case in cases)
            for kind in ("Failure", "Error", "Skipped")
        ),
    )
    suite = next(iter(made))
    said = (suite.tests, suite.failures, suite.errors, suite.skipped)
    return [] if counts == said else [f"{counts} cases, {said} said"]


if __name__ == "__main__":
    faults = globals()[sys.argv[1].replace("-", "_")](sys.argv[2])
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    sys.exit(bool(faults))
