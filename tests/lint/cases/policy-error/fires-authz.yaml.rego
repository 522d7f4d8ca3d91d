# package stockade.extra
package policy
