/** Ops that look at one element of each operand at a time, operands broadcast against each other, and at no axis. */
const elementwise: ReadonlySet<string> = new Set([
  ...['add', 'sub', 'mul', 'div', 'max', 'min', 'power', 'pow', 'fmod', 'quotient'],
  ...['neg', 'abs', 'sign', 'exp', 'log', 'sqrt', 'erf', 'floor', 'round', 'clip'],
  ...['sin', 'cos', 'tan', 'asin', 'acos', 'atan', 'sinh', 'cosh', 'asinh', 'acosh', 'atanh'],
  ...['relu', 'step', 'tanh', 'sigmoid', 'softplus', 'elu', 'leakyRelu', 'hardSwish'],
  ...['less', 'lessOrEqual', 'equal', 'and', 'or', 'not', 'where', 'cast'],
]);

export const isElementwise = (op: string): boolean => elementwise.has(op);
