"""Training by compiled code: each network's epoch as one program of instructions, without Python between its steps.

`program` writes down what a stack's networks do, `machine` runs that forwards and backwards, `epoch` trains, scores and
looks at one network after the other, and `engine` is the face for the rest of the pipeline. The bits are those that
torch's layers come to, which train what compiled code does not know (`program.NotCompilableError`).
"""
