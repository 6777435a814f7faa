export type { WeakerForm } from './container/check-docker-spec.ts'
export { type DockerRuntimeOptions, openDockerRuntime } from './docker-runtime.ts'
export { type EngineClient, openEngineClient } from './engine/engine-client.ts'
export {
  type EndpointOptions,
  type EngineEndpoint,
  type EngineTls,
  parseEngineEndpoint,
} from './engine/engine-endpoint.ts'
export { type DockerImageStore, openImageStore } from './images/docker-image-store.ts'
export {
  openRegistryCredentials,
  type RegistryCredentials,
} from './images/registry-credentials.ts'
export { saveImage } from './images/save-image.ts'
export { openRegistryImages, type RegistryImages } from './registry/registry-images.ts'
