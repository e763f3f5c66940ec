// SPDX-License-Identifier: MIT
pragma solidity ^0.8.37;

// Codes of docs/primitives.md, which defines each to the bit.
uint16 constant ADD = 1;
uint16 constant SUB = 2;
uint16 constant MUL = 3;
uint16 constant DIV = 4;
uint16 constant NEG = 10;
uint16 constant ABS = 11;
uint16 constant SQRT = 12;
uint16 constant FLOOR = 13;
uint16 constant CEIL = 14;
uint16 constant ROUND = 15;
uint16 constant EXP = 16;
uint16 constant TANH = 17;
uint16 constant SIGMOID = 18;
uint16 constant ERF = 19;
uint16 constant LESS = 20;
uint16 constant GREATER = 21;
uint16 constant EQUAL = 22;
uint16 constant LESS_OR_EQUAL = 23;
uint16 constant GREATER_OR_EQUAL = 24;
uint16 constant AND = 25;
uint16 constant OR = 26;
uint16 constant NOT = 27;
uint16 constant XOR = 28;
uint16 constant WHERE = 30;
uint16 constant CAST = 31;
uint16 constant MIN = 32;
uint16 constant MAX = 33;
uint16 constant RELU = 34;
uint16 constant QUANTIZE = 35;
uint16 constant VIEW = 40;
uint16 constant PAD = 41;
uint16 constant CONCAT = 42;
uint16 constant GATHER = 43;
uint16 constant REDUCE_MAX = 50;
uint16 constant REDUCE_MIN = 51;
uint16 constant ARG_MAX = 52;
uint16 constant ARG_MIN = 53;
uint16 constant POOL_MAX = 54;
uint16 constant MATMUL = 60;
uint16 constant MATMUL_INTEGER = 61;
uint16 constant CONV = 62;
uint16 constant CONV_INTEGER = 63;

// Element types by ONNX number (TensorProto.DataType), as far as primitives have them.
uint8 constant FLOAT32 = 1;
uint8 constant UINT8 = 2;
uint8 constant INT8 = 3;
uint8 constant INT32 = 6;
uint8 constant INT64 = 7;
uint8 constant BOOL = 9;
