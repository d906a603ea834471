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


if __name__ == "__main__":
    faults = globals()[sys.argv[1].replace("-", "_")](sys.argv[2])
    sys.stdout.write("".join(f"{fault}\n" for fault in faults))
    sys.exit(bool(faults))
