/**
 * The vocabulary of policies, as Cedar knows it; docs/policies.md explains it. Policies of the
 * operator are checked against it, so that a word that is none is an error and not a rule that
 * never holds.
 */
export const policySchema = `// Who asks: an agent from inside its sandbox, or a user of the node.
entity Agent { name: String, version: String } tags String; // The tags are the manifest's labels.
entity Role;
entity User in [Role] { name: String };

// What is asked for. The id of each is its name: Host::"api.example.com".
entity Host, Address, Path, Model, Tool, Memory, Lock, Secret;
entity Node, Image, Sandbox, Policy, Audit, Token;

// The headers of a request, by name in lower case: headers.hasTag("accept")
entity Headers tags String;
type Http = { method: String, path: String, headers: Headers };

// What an agent does. Names resolve to an address after the first question; literal addresses are
// of type Address and have it from the start.
action "network.connect" appliesTo {
  principal: [Agent], resource: [Host, Address],
  context: { host: String, port: Long, address?: ipaddr, http?: Http }
};
action "dns.resolve" appliesTo { principal: [Agent], resource: [Host], context: { host: String } };
action "fs.read", "fs.write" appliesTo {
  principal: [Agent], resource: [Path], context: { path: String }
};
action "llm.generate" appliesTo {
  principal: [Agent], resource: [Model], context: { model: String }
};
action "tool.invoke" appliesTo { principal: [Agent], resource: [Tool], context: { tool: String } };
action "memory.read", "memory.write" appliesTo {
  principal: [Agent], resource: [Memory], context: { space: String }
};
action "swarm.spawn", "swarm.send" appliesTo {
  principal: [Agent], resource: [Agent], context: { agent: String }
};
action "swarm.lock" appliesTo { principal: [Agent], resource: [Lock], context: { lock: String } };
action "secret.use" appliesTo {
  principal: [Agent], resource: [Secret], context: { secret: String, host: String, port: Long }
};

// What an agent is made of, as its manifest asks and the node would grant.
type Manifest = {
  isolation: String, sandbox: String, language: String, image?: String, model: String,
  tools: Set<String>, secrets: Set<String>, readPaths: Set<String>, writePaths: Set<String>,
  networkMode: String, swarm: Bool, iterations: Long, warmPoolSize: Long,
  cpuMillicores: Long, memoryBytes: Long, diskBytes: Long, timeoutSeconds: Long,
  processes: Long, gpus: Long,
  connections: Long, connectionsPerMinute: Long, bytesOut: Long, bytesIn: Long,
  hostBytesOut: Long, hostBytesIn: Long, bytesPerSecond?: Long,
  priority?: Long // Of a task.
};
action "agent.deploy", "task.execute" appliesTo {
  principal: [User], resource: [Agent], context: Manifest
};

// What a user does through the API. Without a thing that it concerns, the resource is the node.
type Named = { name?: String };
action "api.node.read" appliesTo { principal: [User], resource: [Node], context: Named };
action "api.agent.read", "api.agent.write" appliesTo {
  principal: [User], resource: [Agent, Node], context: Named
};
// The resource is the agent whose task it is.
action "api.task.read", "api.task.execute", "api.task.cancel", "api.task.remove" appliesTo {
  principal: [User], resource: [Agent, Node], context: Named
};
action "api.image.read", "api.image.write" appliesTo {
  principal: [User], resource: [Image, Node], context: Named
};
action "api.sandbox.read" appliesTo {
  principal: [User], resource: [Sandbox, Node], context: Named
};
action "api.policy.read" appliesTo { principal: [User], resource: [Policy, Node], context: Named };
action "api.audit.read" appliesTo { principal: [User], resource: [Audit, Node], context: Named };
action "api.secret.read", "api.secret.write" appliesTo {
  principal: [User], resource: [Secret, Node], context: Named
};
action "api.token.read", "api.token.write" appliesTo {
  principal: [User], resource: [Token, Node], context: Named
};
`
