/** Sentences in which `names` are set as code. */
export function Prose({ text }: { readonly text: string }) {
  // What stands between backticks is every second piece.
  // oxlint-disable-next-line react/no-array-index-key -- the pieces of a text have no other name than their place
  return <>{text.split("`").map((piece, index) => (index % 2 === 1 ? <code key={index}>{piece}</code> : <span key={index}>{piece}</span>))}</>;
}
