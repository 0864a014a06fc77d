//! `#[derive(Parameters)]`: finds the parameters of a network written as a plain struct.
//!
//! Use it through `rekindle_nn` or `rekindle`, where its documentation stands.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{quote, quote_spanned};
use syn::{Data, DeriveInput, Field, Fields, Member, Result, parse_macro_input, spanned::Spanned};

/// The derive for crates that depend on `rekindle_nn`.
#[proc_macro_derive(Parameters, attributes(parameters))]
pub fn parameters(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), &quote!(::rekindle_nn))
}

/// The derive for crates that depend on `rekindle`, which exports it under the name `Parameters`.
#[proc_macro_derive(ParametersOfRekindle, attributes(parameters))]
pub fn parameters_of_rekindle(input: TokenStream) -> TokenStream {
    expand(&parse_macro_input!(input as DeriveInput), &quote!(::rekindle::nn))
}

fn expand(input: &DeriveInput, root: &Tokens) -> TokenStream {
    implement(input, root).unwrap_or_else(syn::Error::into_compile_error).into()
}

/// What `#[parameters(..)]` may say.
#[derive(Default)]
struct Options {
    /// On a field: leave it out.
    skip: bool,
    /// On the struct: it has an inherent `fn extra_repr(&self) -> String`.
    extra_repr: bool,
}

impl Options {
    fn read(attributes: &[syn::Attribute]) -> Result<Options> {
        let mut options = Options::default();
        for attribute in attributes.iter().filter(|a| a.path().is_ident("parameters")) {
            attribute.parse_nested_meta(|meta| {
                match () {
                    _ if meta.path.is_ident("skip") => options.skip = true,
                    _ if meta.path.is_ident("extra_repr") => options.extra_repr = true,
                    _ => return Err(meta.error("parameters: expected `skip` or `extra_repr`")),
                }
                Ok(())
            })?;
        }
        Ok(options)
    }
}

fn implement(input: &DeriveInput, root: &Tokens) -> Result<Tokens> {
    let Data::Struct(data) = &input.data else {
        let message = "derive(Parameters): only structs hold layers by name; wrap the enum in a struct";
        return Err(syn::Error::new(input.ident.span(), message));
    };
    let options = Options::read(&input.attrs)?;
    let visits = visits(&data.fields)?;
    let (name, text) = (&input.ident, input.ident.to_string());
    let (generics, arguments, bounds) = input.generics.split_for_impl();
    let extra_repr = options.extra_repr.then(|| {
        quote! {
            fn extra_repr(&self) -> ::std::string::String {
                Self::extra_repr(self)
            }
        }
    });
    Ok(quote! {
        impl #generics #root::Parameters for #name #arguments #bounds {
            fn visit(&self, visitor: &mut #root::Visitor<'_>) {
                #(#visits)*
            }
            fn type_name(&self) -> ::std::string::String {
                #text.to_string()
            }
            #extra_repr
        }
        impl #generics ::std::fmt::Display for #name #arguments #bounds {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(&#root::module_text(self))
            }
        }
    })
}

/// One call per field: `visitor.field("fc1", &self.fc1);`.
fn visits(fields: &Fields) -> Result<Vec<Tokens>> {
    let visit = |(member, field): (Member, &Field)| -> Result<Option<Tokens>> {
        if Options::read(&field.attrs)?.skip {
            return Ok(None);
        }
        let name = match &member {
            Member::Named(ident) => ident.to_string().trim_start_matches("r#").to_string(),
            Member::Unnamed(index) => index.index.to_string(),
        };
        // The field's own span makes an error point at its type.
        let span = field.ty.span();
        Ok(Some(quote_spanned!(span=> visitor.field(#name, &self.#member);)))
    };
    fields.members().zip(fields).filter_map(|field| visit(field).transpose()).collect()
}
