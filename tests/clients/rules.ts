/** What the scripted provider answers to the agents of this folder. */
export const rules = [
  { match: '^Say (.+)$', reply: '$1' },
  {
    match: 'weather in (\\w+)',
    tool_calls: [{ name: 'get_weather', arguments: { city: 'Oslo' } }],
  },
  { match: '^sunny$', reply: 'It is sunny in Oslo.' },
  { match: '.*', reply: 'I have no rule for that.' },
]
