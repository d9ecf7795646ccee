/**
 * Owns reading PromQL with Prometheus's own grammar: which series an expression asks for, by which labels it groups, and
 * what it compares with a number. Knows no metric.
 */
import type { SyntaxNode, Tree } from "@lezer/common";
import { parser } from "@prometheus-io/lezer-promql";

export interface Matcher {
  label: string;
  operator: string;
  value: string;
}

export interface Selector {
  metric: string;
  matchers: Matcher[];
}

export interface Query {
  selectors: Selector[];
  /** Of `by`, `on`, `group_left` and the like. */
  groupedBy: string[];
}

/** A number that something is compared with, and where it stands in the text. */
export interface Bound {
  operator: string;
  value: number;
  from: number;
  to: number;
}

const COMPARISONS = [">", ">=", "<", "<=", "==", "!="];

export function readQuery(expression: string): Query {
  const tree = treeOf(expression);
  const textOf = ({ from, to }: { from: number; to: number }) => expression.slice(from, to);
  const all = (within: SyntaxNode | Tree, name: string) => nodesOf(within, name);
  const selectors = all(tree, "VectorSelector").map((node) => {
    const [name] = all(node, "Identifier");
    const matchers = all(node, "UnquotedLabelMatcher").map((matcher) => {
      const [label, operator, value] = childrenOf(matcher).map(textOf);
      return { label: label ?? "", operator: operator ?? "", value: unquoted(value ?? "") };
    });
    return { metric: name === undefined ? "" : textOf(name), matchers };
  });
  const groupedBy = all(tree, "GroupingLabels").flatMap((node) => all(node, "LabelName").map(textOf));
  return { selectors, groupedBy };
}

export function boundsOf(expression: string): Bound[] {
  return nodesOf(treeOf(expression), "BinaryExpr").flatMap((node) => {
    const [, operator, right] = childrenOf(node).filter(({ name }) => !/Modifier/.test(name));
    if (operator === undefined || right === undefined) return [];
    const sign = expression.slice(operator.from, operator.to);
    if (!COMPARISONS.includes(sign)) return [];
    // Of `> 14.4 * (…)` the factor. What is compared with another series has no number to change.
    const [number] = nodesOf(right, "NumberDurationLiteral");
    if (number === undefined || number.from !== right.from) return [];
    const { from, to } = number;
    return [{ operator: sign, value: Number(expression.slice(from, to)), from: operator.from, to }];
  });
}

function treeOf(expression: string): Tree {
  const tree = parser.parse(expression);
  const [error] = nodesOf(tree, "⚠");
  if (error !== undefined) throw new Error(`no PromQL from character ${error.from} on: ${expression}`);
  return tree;
}

function nodesOf(within: SyntaxNode | Tree, name: string): SyntaxNode[] {
  const top = "topNode" in within ? within.topNode : within;
  const found: SyntaxNode[] = [];
  top.cursor().iterate(({ node, name: found_ }) => {
    if (found_ === name) found.push(node);
  });
  return found;
}

function childrenOf(node: SyntaxNode): SyntaxNode[] {
  const children: SyntaxNode[] = [];
  for (let child = node.firstChild; child !== null; child = child.nextSibling) children.push(child);
  return children;
}

const unquoted = (text: string): string => text.slice(1, -1).replaceAll("\\\\", "\\");
