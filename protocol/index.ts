export type { Dtype, Tensor } from "./commitments/tensor.ts"
export {
  bytesPerElement,
  DTYPES,
  dtypeOfOnnxNumber,
  elementCount,
  isDtype,
  onnxNumberOf,
  tensorByteLength,
} from "./commitments/tensor.ts"
export { CodedError, isCodedError } from "./errors/codedError.ts"
