"""A small local language model, asked with the reasons' definitions and held to answer with one of their codes."""

from __future__ import annotations

from pathlib import Path

from llama_cpp import Llama, LlamaGrammar

from lossnlp.cores import usable_cores
from lossnlp.deal import Deal
from lossnlp.taxonomy import get_default_taxonomy
from training.answers import Answer
from training.baseline import text_of

_CONTEXT_TOKENS = 4096
_TEXT_CHARACTERS = 9_000
_ANSWER_TOKENS = 12
_SEED = 7


class LocalLlm:
    """Asks an instruction-tuned model in GGUF form for the decisive reason.

    Args:
        weights: The GGUF file.
    """

    name = "small local LLM"

    def __init__(self, weights: Path) -> None:
        taxonomy = get_default_taxonomy()
        codes = " | ".join(f'"{code}"' for code in taxonomy.codes)
        self._grammar = LlamaGrammar.from_string(f"root ::= {codes}", verbose=False)
        self._llm = Llama(
            model_path=str(weights), n_ctx=_CONTEXT_TOKENS, n_threads=usable_cores(), seed=_SEED, verbose=False
        )
        definitions = "\n".join(f"{one.code}: {one.definition}" for one in taxonomy.reasons)
        self._task = (
            "You read notes and calls about B2B deals that were lost, and name the one reason that decided the loss. "
            f"Answer with one code.\n\nReasons:\n{definitions}"
        )

    def answer(self, deal: Deal) -> Answer:
        """Gives the code that the model writes."""
        said = self._llm.create_chat_completion(
            messages=[
                {"role": "system", "content": self._task},
                {"role": "user", "content": f"{text_of(deal)[:_TEXT_CHARACTERS]}\n\nWhich reason decided?"},
            ],
            grammar=self._grammar,
            max_tokens=_ANSWER_TOKENS,
            temperature=0.0,
        )
        return Answer(primary=str(said["choices"][0]["message"]["content"]).strip(), confidence=0.0)
