// In the place of a language model: it repeats the question, a token at a time.

export function countTokens(text) {
  return text.split(/\s+/).filter(Boolean).length;
}

export function* generate(question) {
  yield* ["You", "asked:", ...question.split(/\s+/).filter(Boolean)];
}
