"""Define languages other than English as data: each folder here, named by its code, is a language.

``lexicon.tsv`` has the financial terms, ``wording.tsv`` the directions, comparisons, months and
function words, and ``cues.tsv`` the phrases that mark the start of the questions in a call. Their
terms and tokens map to the English ones, so that an answer in one language can be compared with a
call in another. English itself is in ``finllm/languages/lexicon.tsv``, ``english.tsv`` here and
``finllm/corpus/cues.py``; numbers are read by ``finllm/numbers``.
"""
