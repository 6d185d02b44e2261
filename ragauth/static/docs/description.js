// An OpenAPI document as the page needs it: routes in chapters, fields, errors.

const METHODS = ["get", "post", "put", "patch", "delete", "head", "options", "trace"];

export class Description {
  constructor(document) {
    this.document = document;
    this.operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      METHODS.filter((method) => methods[method]).map((method) => ({
        ...methods[method],
        path,
        method: method.toUpperCase(),
        link: `#${method.toUpperCase()}${path}`,
      })),
    );
  }

  resolve(value) {
    if (!value?.$ref) return value ?? {};
    const found = value.$ref
      .slice(2)
      .split("/")
      .reduce((inside, name) => inside[name], this.document);
    return { ...found, ...(value.description && { description: value.description }) };
  }

  chapters() {
    return (this.document.tags ?? []).map((tag) => ({
      ...tag,
      operations: this.operations.filter((operation) => operation.tags?.[0] === tag.name),
    }));
  }

  /** By `#POST/api/auth/signup`, or by `#signUp`. */
  find(link) {
    return this.operations.find((one) => one.link === link || `#${one.operationId}` === link);
  }

  /** Where the credential of a route goes: its kind, its header, what stands before it. */
  credential(operation) {
    const [name] = Object.keys(operation.security?.[0] ?? {});
    if (!name) return null;
    const scheme = this.document.components.securitySchemes[name];
    const isKey = scheme.type === "apiKey" || scheme.bearerFormat !== "JWT";
    return {
      kind: isKey ? "key" : "jwt",
      header: scheme.type === "apiKey" ? scheme.name : "Authorization",
      before: scheme.type === "apiKey" ? "" : "Bearer ",
    };
  }

  body(operation) {
    return operation.requestBody?.content?.["application/json"];
  }

  success(operation) {
    const [status] = Object.keys(operation.responses).filter((one) => one < "400");
    const response = this.resolve(operation.responses[status]);
    return { status, response, content: response.content?.["application/json"] };
  }

  refusals(operation) {
    return Object.entries(operation.responses)
      .filter(([status]) => status >= "400")
      .map(([status, response]) => ({ status, description: this.resolve(response).description }));
  }

  /** The forms of the one error, where the document tells them apart by `code`. */
  codes() {
    const error = this.document.components.schemas.Error?.properties.error;
    return (error?.oneOf ?? []).map((one) => {
      const form = this.resolve(one);
      return {
        code: form.properties.code.const,
        description: form.description,
        details: this.fields(form.properties.details ?? {}),
      };
    });
  }

  /** Every error of the document: by status, with an example of each. */
  errors() {
    const statuses = new Map();
    for (const operation of this.operations) {
      for (const [status, response] of Object.entries(operation.responses)) {
        if (status >= "400") statuses.set(status, this.resolve({ $ref: response.$ref }));
      }
    }
    return [...statuses].sort().map(([status, response]) => ({
      status,
      description: response.description.replace(/\.$/, ""),
      examples: Object.values(response.content?.["application/json"]?.examples ?? {}),
    }));
  }

  /** The fields of a schema, those of what it contains below it: name, type, words. */
  fields(schema, before = "", depth = 0) {
    const shape = this.resolve(schema);
    const alternatives = shape.oneOf ?? shape.anyOf;
    if (alternatives && depth < 4) {
      return alternatives.flatMap((one) => this.fields(one, before, depth + 1));
    }
    if (shape.type === "array") return this.fields(shape.items, `${before}[].`, depth + 1);
    return Object.entries(shape.properties ?? {}).flatMap(([name, value]) => {
      const field = this.resolve(value);
      const full = `${before}${name}`.replace(".[]", "[]");
      const row = {
        name: full,
        type: this.type(field),
        isRequired: (shape.required ?? []).includes(name),
        description: field.description ?? "",
      };
      return [row, ...(depth < 3 ? this.fields(field, `${full}.`, depth + 1) : [])];
    });
  }

  type(schema) {
    const shape = this.resolve(schema);
    const alternatives = shape.oneOf ?? shape.anyOf;
    if (alternatives) return [...new Set(alternatives.map((one) => this.type(one)))].join(" or ");
    if (shape.enum) return shape.enum.map((one) => JSON.stringify(one)).join(" or ");
    if (shape.const !== undefined) return JSON.stringify(shape.const);
    if (shape.type === "array") return `list of ${this.type(shape.items)}`;
    const kinds = [shape.type].flat().filter(Boolean).join(" or ") || "any";
    const bounds = [shape.minLength ?? shape.minimum, shape.maxLength ?? shape.maximum];
    const between = bounds[1] === undefined ? "" : `, ${bounds[0] ?? 0}–${bounds[1]}`;
    return shape.format === "date-time" ? kinds.replace("string", "time") : kinds + between;
  }
}
