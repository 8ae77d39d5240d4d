/** Encryption at rest: stores and artifact stores whose contents are sealed, and where their keys come from. */

export { encrypted, EncryptedStore, type EncryptionOptions } from './encrypted-store.js';
export { encryptedArtifacts, type EncryptedArtifactsOptions } from './encrypted-artifacts.js';
export { hybrid, makeHybridKey, type HybridKey, type HybridOptions } from './hybrid.js';
export { keyFile } from './key-file.js';
export { type KeySource } from './key-source.js';
export { kms, type KmsOptions } from './kms.js';
export { rewrapKeys, type RewrapOptions, type RewrapReport } from './rewrap.js';
