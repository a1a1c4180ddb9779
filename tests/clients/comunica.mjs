// Runs queries with Comunica against one endpoint and writes what it read, as JSON.
//
//     node comunica.mjs ENDPOINT < [{"query": …, "source": "sparql" | "auto" | "none"}, …]
//
// "auto" leaves it to Comunica to find out, from the service description, what the address is;
// "none" gives it an empty graph, so that all comes from what the query itself calls.
import { text } from 'node:stream/consumers';
import { QueryEngine } from '@comunica/query-sparql';

const endpoint = process.argv[2];
const asked = JSON.parse(await text(process.stdin));
const SOURCES = {
  auto: endpoint,
  none: { type: 'serialized', value: '', mediaType: 'text/turtle', baseIRI: endpoint },
  sparql: { type: 'sparql', value: endpoint },
};
const engine = new QueryEngine();
const answers = [];
for (const { query, source } of asked) {
  const sources = [SOURCES[source]];
  const result = await engine.query(query, { sources });
  if (result.resultType === 'bindings') {
    const rows = await (await result.execute()).toArray();
    answers.push(rows.map((row) => Object.fromEntries(
      [...row].map(([variable, term]) => [variable.value, term.value]),
    )));
  } else if (result.resultType === 'boolean') {
    answers.push(await result.execute());
  } else {
    const quads = await (await result.execute()).toArray();
    answers.push(quads.map((quad) => [quad.subject.value, quad.predicate.value, quad.object.value]));
  }
}
process.stdout.write(JSON.stringify(answers));
