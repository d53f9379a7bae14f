"""Stage `merge`: the table of an experiment out of the scores of its methods."""

import json

from semcorr.evaluation.tables import merge_documents, to_json
from semcorr.stages.running.job import StageJob, run_alone
from semcorr.store.files import write_bytes


def main(job: StageJob) -> None:
    """Write {task}/{experiment}.json; methods in the order of the experiment."""
    documents = [json.loads(path.read_text()) for path in job.inputs["scores"]]
    methods = [next(iter(document["methods"])) for document in documents]
    write_bytes(job.outputs["table"], to_json(merge_documents(documents, methods)).encode())


if __name__ == "__main__":
    run_alone(main, main.__doc__)
