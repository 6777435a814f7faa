export {
  type EndpointOptions,
  type EngineEndpoint,
  type EngineTls,
  parseEngineEndpoint,
} from './engine/engine-endpoint.ts'
