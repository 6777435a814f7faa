import type { Form, Token } from './text-forms.ts'

/** Many forms, with what several of them begin with held once. */
export interface FormTrie {
  readonly start: Place
  /** Which text ends at this place. */
  textAt(place: Place): number | undefined
  /** What may come next. */
  stepsFrom(place: Place): readonly Step[]
}

/** How far some forms have been followed. */
export interface Place {
  readonly node: Node
  /** In what only one form has left. */
  readonly offset: number
}

export interface Step {
  readonly token: Token
  readonly next: Place
}

interface Node {
  readonly steps: Step[]
  text?: number
  /** The rest of a form that shares it with no other. */
  rest?: { readonly form: Form; readonly from: number; readonly text: number } | undefined
}

/** `texts[n]` lists the forms of one text. */
export function makeFormTrie(texts: readonly (readonly Form[])[]): FormTrie {
  const root: Node = { steps: [] }
  texts.forEach((forms, text) => {
    for (const form of forms) insert(root, form, text)
  })
  return {
    start: placeOf(root),
    textAt: ({ node: { rest, text }, offset }) =>
      rest === undefined ? text : rest.from + offset === rest.form.length ? rest.text : undefined,
    stepsFrom({ node, offset }) {
      if (node.rest === undefined) return node.steps
      const token = node.rest.form[node.rest.from + offset]
      return token === undefined ? [] : [{ token, next: { node, offset: offset + 1 } }]
    },
  }
}

function insert(root: Node, form: Form, text: number): void {
  let node = root
  for (const [from, token] of form.entries()) {
    if (node.steps.length === 0 && node.text === undefined && node.rest === undefined) {
      node.rest = { form, from, text }
      return
    }
    moveDown(node)
    const known = node.steps.find((step) => step.token.key === token.key)
    const next = known?.next ?? placeOf({ steps: [] })
    if (known === undefined) node.steps.push({ token, next })
    node = next.node
  }
  moveDown(node)
  node.text ??= text
}

/** Makes room for another form beside the one that had a node for itself. */
function moveDown(node: Node): void {
  const { rest } = node
  if (rest === undefined) return
  node.rest = undefined
  const token = rest.form[rest.from]
  if (token === undefined) node.text = rest.text
  else
    node.steps.push({ token, next: placeOf({ steps: [], rest: { ...rest, from: rest.from + 1 } }) })
}

const placeOf = (node: Node): Place => ({ node, offset: 0 })
